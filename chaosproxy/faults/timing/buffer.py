"""time.buffer: nothing for a while, then much at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from chaosproxy.errors import BadValue
from chaosproxy.events import Abort, End, Exchange, Frame, Heal, Hit, Incoming, Miss, Outgoing, moved
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import passing

HELD_BYTES_MAX = 8 * 1024 * 1024
"""A fuller buffer is emptied, whatever it waits for."""
_COUNTED = re.compile(r"(bytes|events):([1-9]\d*)")


@dataclass(frozen=True, slots=True)
class Until:
    """When a buffer is full: after ``count`` of ``unit`` (bytes or events), or at the end."""

    unit: str
    count: int = 0

    @classmethod
    def parse(cls, text: str) -> Until:
        """Read the user's spelling. Raises BadValue with the allowed ones."""
        if match := _COUNTED.fullmatch(text):
            return cls(match[1], int(match[2]))
        if text == "end":
            return cls("end")
        raise BadValue(f"expected bytes:N, events:N or end, got {text!r}")

    def __str__(self) -> str:
        return self.unit if self.unit == "end" else f"{self.unit}:{self.count}"


def _read(value: Any) -> Any:
    return Until.parse(value) if isinstance(value, str) else value


UntilSetting = Annotated[
    Until,
    BeforeValidator(_read),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["bytes:4096", "events:10", "end"]}),
]


class TimeBuffer(Fault):
    """Collect the answer and send it in bursts, like nginx in front of a model server (mostlygeek/llama-swap#236)."""

    type: ClassVar[str] = "time.buffer"
    room: ClassVar[Room] = Room.TIMING
    symptom: ClassVar[str] = "a long wait, then many words at once; with until=end all of them"
    timeline: ClassVar[str] = "upstream  h f f f f f f end\nclient    h ...... fff ...... fff end    (until=events:3)"

    until: UntilSetting = Until("end")
    """What fills the buffer: ``bytes:N``, ``events:N`` (pieces, where the body has no events) or ``end``, the end of
    the answer. At most 8 MiB are collected."""

    @classmethod
    def neutral(cls) -> Self:
        """A buffer for one event."""
        return cls(until=Until("events", 1))

    @property
    def edits_frames(self) -> bool:
        """Bytes can be counted in a compressed body, too."""
        return self.until.unit == "events"

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Buffered(self.until)


class Buffered:
    """Holds frames until the buffer is full."""

    def __init__(self, until: Until) -> None:
        self._until = until
        self._held: list[Frame] = []
        self._bytes = 0
        self._hit = False
        self._over = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._over:
            return passing(event)
        if isinstance(event, Frame):
            self._held.append(event)
            self._bytes += len(event.data)
            return self._released(event.at) if self._full else ()
        if not isinstance(event, End | Abort | Heal):
            return passing(event)
        self._over = True
        released = self._released(event.at)
        if not self._hit:
            released.insert(0, Miss(event.at, "nothing had to wait for the buffer"))
        return [*released, *passing(event)]

    @property
    def _full(self) -> bool:
        if self._until.unit == "events":
            return len(self._held) >= self._until.count
        return self._bytes >= (self._until.count if self._until.unit == "bytes" else HELD_BYTES_MAX)

    def _released(self, at: float) -> list[Outgoing]:
        held, self._held, self._bytes = self._held, [], 0
        released: list[Outgoing] = [moved(frame, at) for frame in held]
        if not self._hit and held and held[0].at < at:
            self._hit = True
            released.insert(0, Hit(at, f"collected until {self._until}, {len(held)} at once"))
        return released
