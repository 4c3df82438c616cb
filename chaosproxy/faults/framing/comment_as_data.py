"""sse.comment_as_data: a comment that somebody took for an event."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.faults.framing.inserted import InsertedLines
from chaosproxy.faults.where import Where


class SseCommentAsData(InsertedLines):
    """Send a keep-alive comment on as data, before the first event, as some gateways do with a provider's comments."""

    type: ClassVar[str] = "sse.comment_as_data"
    place: ClassVar[Where] = Where("event", 0)
    symptom: ClassVar[str] = "a JSON decode error before the first word"
    timeline: ClassVar[str] = "upstream  h f f f end\nclient    h data:: f f f end"
    no_neutral: ClassVar[str | None] = "it always adds an event"

    text: Annotated[str, Field(pattern=r"^[^\r\n]*$")] = "OPENROUTER PROCESSING"
    """The words of the comment (mnfst/llm-gateway#2053)."""

    def lines(self) -> bytes:
        """``data: : TEXT``."""
        return f"data: : {self.text}\n\n".encode()
