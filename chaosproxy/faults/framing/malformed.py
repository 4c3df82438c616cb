"""sse.malformed: one event whose payload is not the JSON that it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import Exchange, Frame, Hit, Miss, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtPlace, keep, lacks_stream, unmeasured
from chaosproxy.faults.where import Where, WhereSetting
from chaosproxy.wire.dialects import dialect


class SseMalformed(Fault):
    """Break the JSON of one event; the stream goes on after it."""

    type: ClassVar[str] = "sse.malformed"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = (
        "a JSON decode error in mid-stream; LiteLLM ends Anthropic streams here as if complete, and loses the rest"
    )
    timeline: ClassVar[str] = "upstream  h f f f f end\nclient    h f ~ f f end"
    no_neutral: ClassVar[str | None] = (
        "each mode breaks the payload; a place that is never reached is a miss, not a setting"
    )

    where: WhereSetting = Where("token", 5)
    """The event that is broken."""
    mode: Literal["cut", "garbage", "not_json", "json_null"] = "cut"
    """cut: the second half of the payload is missing; garbage: it is overwritten with #; not_json: a word stands
    instead of the payload; json_null: ``null`` does, which is JSON but no event."""

    @property
    def edits_frames(self) -> bool:
        """Whole events have to be found."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have events."""
        return lacks_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        spoken = dialect(exchange.dialect)

        def spoil(frame: Frame, before: int) -> Sequence[Outgoing]:
            del before
            payload = spoken.payload.search(frame.data)
            if payload is None or (spoilt := self._spoilt(payload[1])) == payload[1]:
                return [Miss(frame.at, f"{self.where.words()} has no payload to break"), frame]
            data = frame.data[: payload.start(1)] + spoilt + frame.data[payload.end(1) :]
            broken = replace(frame, data=data, meaning=spoken.read_event(data))
            return [Hit(frame.at, f"{self.where.words()} malformed ({self.mode})"), broken]

        return AtPlace(self.where, exchange, spoil, after=keep, reframe=unmeasured)

    def _spoilt(self, payload: bytes) -> bytes:
        half = len(payload) // 2
        match self.mode:
            case "cut":
                return payload[:half]
            case "garbage":
                return payload[:half] + b"#" * (len(payload) - half)
            case "not_json":
                return b"not json" if payload else payload
            case "json_null":
                return b"null" if payload else payload
