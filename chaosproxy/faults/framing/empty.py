"""sse.empty: an event that says nothing."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.faults.framing.inserted import InsertedLines
from chaosproxy.faults.where import Where


class SseEmpty(InsertedLines):
    """Send an event with empty data, or one with a name and no data, in mid-stream.

    By WHATWG HTML 9.2.6 the second is no event at all; openai's client parses both (openai/openai-python#2722).
    """

    type: ClassVar[str] = "sse.empty"
    place: ClassVar[Where] = Where("token", 1)
    symptom: ClassVar[str] = "a JSON decode error in mid-stream, at an event that is empty"
    timeline: ClassVar[str] = "upstream  h f f f end\nclient    h f data: f f end"
    no_neutral: ClassVar[str | None] = "it always adds an event"

    named: Annotated[str, Field(min_length=1, pattern=r"^[^\r\n]*$")] | None = None
    """The name of an event without data, such as ping; None: an empty data line without a name."""

    def lines(self) -> bytes:
        """``data:``, or ``event: NAME``."""
        return b"data:\n\n" if self.named is None else f"event: {self.named}\n\n".encode()
