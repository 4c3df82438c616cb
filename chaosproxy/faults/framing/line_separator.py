"""sse.line_separator: a character in the text that some take for a line end."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosproxy.events import Frame
from chaosproxy.faults.framing.spoilt_event import SpoiltEvent
from chaosproxy.faults.where import Where, WhereSetting
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.editing import text_span

_CHARACTERS = {"U+2028": "\u2028", "U+2029": "\u2029", "U+0085": "\u0085"}


class SseLineSeparator(SpoiltEvent):
    """Put a raw line separator into the text of an event: valid in JSON, and no line end of an event stream.

    Clients that split lines as Python's ``str.splitlines`` does cut the event in two (openai/openai-python#1230).
    """

    type: ClassVar[str] = "sse.line_separator"
    symptom: ClassVar[str] = "a JSON decode error, or the answer ends at the character without an error (LiteLLM)"
    timeline: ClassVar[str] = "upstream  h f f f f end\nclient    h f f(U+2028) f f end"
    no_neutral: ClassVar[str | None] = "it always adds a character; a place that is never reached is a miss"

    where: WhereSetting = Where("token", 5)
    """The event whose text gets it."""
    char: Literal["U+2028", "U+2029", "U+0085"] = "U+2028"
    """Which one: line separator, paragraph separator, next line."""

    def _spoilt(self, spoken: Dialect, frame: Frame) -> tuple[bytes, str]:
        del spoken
        span = text_span(frame.data, frame.meaning.text)
        if span is None:
            return frame.data, "has no text"
        data = frame.data[: span[1]] + _CHARACTERS[self.char].encode() + frame.data[span[1] :]
        return data, f"got a raw {self.char}"
