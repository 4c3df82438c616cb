"""sse.malformed: one event whose payload is not the JSON that it should be."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosproxy.events import Exchange, Frame
from chaosproxy.faults.framing.spoilt_event import SpoiltEvent
from chaosproxy.faults.where import Where, WhereSetting
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.editing import payload_span, with_payload


class SseMalformed(SpoiltEvent):
    """Break the JSON of one event; the stream goes on after it."""

    type: ClassVar[str] = "sse.malformed"
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

    def lacks(self, exchange: Exchange) -> str | None:
        """A bracket is no JSON that could be broken."""
        if exchange.dialect == "gemini.array" and self.where.unit.endswith("terminal"):
            return "the terminal event of gemini.array is a bracket, which has no payload"
        return super().lacks(exchange)

    def _spoilt(self, spoken: Dialect, frame: Frame) -> tuple[bytes, str]:
        span = payload_span(spoken, frame.data)
        if span is None or span[0] == span[1]:
            return frame.data, "has no payload to break"
        return with_payload(frame.data, span, self._broken(frame.data[slice(*span)])), f"malformed ({self.mode})"

    def _broken(self, payload: bytes) -> bytes:
        half = len(payload) // 2
        match self.mode:
            case "cut":
                return payload[:half]
            case "garbage":
                return payload[:half] + b"#" * (len(payload) - half)
            case "not_json":
                return b"not json"
            case "json_null":
                return b"null"
