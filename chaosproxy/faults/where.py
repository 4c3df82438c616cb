"""``where`` inside a stream: a gap between frames, or the frame that it names.

    event:0      event:1         token:1   token:2          before_terminal   after_terminal
       |  opening   |               |         |                    |   [DONE]       |
    ---+------------+----- hello ---+--- wor -+-- ld --- finish ---+----------------+---

``token:0`` is the gap before the first content; ``byte:N`` lies before the byte that follows the first N of the body;
``percent:P`` is ``byte`` once the length of the body is known. ``message:N`` is a place between the messages of a
WebSocket, and exists nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from chaosproxy.errors import BadValue
from chaosproxy.events import TOKEN, Abort, End, Frame, Head, Heal, Incoming, Kind, Miss, Seen, Tick, header

_COUNTED = re.compile(r"(event|token|byte|message):(\d+)")
_PERCENT = re.compile(r"percent:(\d+(?:\.\d+)?)")
_NAMED = {
    "first_event": ("event", 1),
    "before_terminal": ("before_terminal", 0),
    "after_terminal": ("after_terminal", 0),
}
_ALLOWED = "event:N, token:N, byte:N, percent:P, first_event, before_terminal or after_terminal"


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a stream: ``unit`` is event, token, byte, percent, message, before_terminal or after_terminal."""

    unit: str
    count: float

    @classmethod
    def parse(cls, text: str) -> Where:
        """Read the user's spelling. Raises BadValue with the allowed ones."""
        if text in _NAMED:
            return cls(*_NAMED[text])
        if match := _COUNTED.fullmatch(text):
            return cls(match[1], int(match[2]))
        if (match := _PERCENT.fullmatch(text)) and float(match[1]) <= 100:
            return cls("percent", float(match[1]))
        raise BadValue(f"expected {_ALLOWED}, got {text!r}")

    def __str__(self) -> str:
        return self.unit if self.unit.endswith("terminal") else f"{self.unit}:{self.count:.10g}"

    @property
    def needs_frames(self) -> bool:
        """Whether the place exists only in a stream of events."""
        return self.unit not in ("byte", "percent")

    def words(self) -> str:
        """What it names: "token 5", "byte 120", "the first event", "the terminal event"."""
        if self.unit.endswith("terminal"):
            return "the terminal event"
        if self.unit == "percent":
            return f"{self.count:.10g} % of the body"
        return f"{self.unit} {self.count:.10g}" if self.count else f"the first {self.unit}"

    def place(self) -> str:
        """Where it lies: "after token 5", "before the first token", "before the terminal event"."""
        before = self.unit == "before_terminal" or not (self.count or self.unit.endswith("terminal"))
        return f"{'before' if before else 'after'} {self.words()}"


def _read(value: Any) -> Any:
    where = Where.parse(value) if isinstance(value, str) else value
    if isinstance(where, Where) and where.unit == "message":
        raise BadValue(f"{where} is for WebSocket faults (ws.*); expected {_ALLOWED}")
    return where


def _read_message(value: Any) -> Any:
    where = Where.parse(value) if isinstance(value, str) else value
    if isinstance(where, Where) and where.unit not in ("message", "event"):
        raise BadValue(f"expected message:N or first_event, got {str(where)!r}")
    return Where("message", where.count) if isinstance(where, Where) else where


WhereSetting = Annotated[
    Where,
    BeforeValidator(_read),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["token:5", "before_terminal", "byte:100"]}),
]

MessageSetting = Annotated[
    Where,
    BeforeValidator(_read_message),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["message:1", "message:0", "first_event"]}),
]
"""A place between messages; an event of a WebSocket is a message."""


class Place:
    """Watches one answer for a Where: tells, once, where it is in a frame, or why it will not come."""

    def __init__(self, where: Where, seen: Seen) -> None:
        self._where = where
        self._words = where.words()
        self._seen = seen
        self._passed = {"event": seen.events, "token": seen.tokens}.get(where.unit, seen.bytes)

    def miss(self, event: Incoming) -> Miss | None:
        """Why the place will not come, when an event that is no frame tells it."""
        match event:
            case Head(at):
                return self._begin(at, event)
            case Tick(at) if self._seen.head is not None:
                return self._begin(at, self._seen.head) or self._too_late(at)
            case Heal(at):
                return Miss(at, "healed before its place was reached")
            case End(at) | Abort(at):
                return Miss(at, f"the answer ended before {self._words}")
        return None

    def offset(self, frame: Frame) -> int | None:
        """Bytes of this frame that lie before the place (0 .. its length); None when it is not here.

        A fault that edits a whole event edits this one: ``token:3`` is found in the third token, ``token:0`` in the
        first, ``before_terminal`` and ``after_terminal`` in the terminal event.
        """
        unit, count = self._where.unit, self._where.count
        if unit == "byte":
            before = int(count) - self._passed
            self._passed += len(frame.data)
            return before if before < len(frame.data) else None
        if unit.endswith("terminal"):
            if not frame.meaning.kind & Kind.TERMINAL:
                return None
            return 0 if unit == "before_terminal" else len(frame.data)
        if unit == "token" and not frame.meaning.kind & TOKEN:
            return None
        if count == 0:
            return 0
        if frame.meaning.kind == Kind.RAW:  # the first half of an event that an earlier fault has split
            return None
        self._passed += 1
        return len(frame.data) if self._passed == count else None

    def _begin(self, at: float, head: Head) -> Miss | None:
        where = self._where
        if where.needs_frames:
            return None if head.streamed else Miss(at, why_unstreamed(head))
        if where.unit == "percent":
            if head.length is None:
                return Miss(at, "the length of the answer is not known, so a percentage of it is not either")
            self._where = where = Where("byte", int(head.length * where.count / 100))
        if head.length is not None and where.count >= head.length:
            return Miss(at, f"the answer has only {head.length} bytes")
        return None

    def _too_late(self, at: float) -> Miss | None:
        unit, count = self._where.unit, self._where.count
        over = self._passed > count if unit == "byte" else 0 < self._passed >= count
        return Miss(at, f"{self._words} had already passed") if over and not unit.endswith("terminal") else None


def why_unstreamed(head: Head) -> str:
    """Why there are no events to be read in an answer."""
    return why_compressed(head) or "the answer was not streamed"


def why_compressed(head: Head) -> str | None:
    """Why nobody can read the words of an answer; None when it is not compressed."""
    coding = head.packed_as or header(head.headers, "content-encoding")
    return None if coding in (None, "identity") else f"the answer was compressed ({coding})"
