"""sse.field: the fields of an event stream that LLM providers do not use."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.faults.framing.inserted import InsertedLines
from chaosproxy.faults.where import Where


class SseField(InsertedLines):
    """Send an ``id`` or a ``retry`` field before the first event, as a gateway with resumable streams does.

    By WHATWG HTML 9.2.6 a block without data is no event. openai's client parses it as one, and after an ``id`` every
    comment, too (openai/openai-python#3833): for that, add ``sse.comment``.
    """

    type: ClassVar[str] = "sse.field"
    place: ClassVar[Where] = Where("event", 0)
    symptom: ClassVar[str] = "a JSON decode error before the first word, at a field that is no event"
    timeline: ClassVar[str] = "upstream  h f f f end\nclient    h retry: f f f end"
    no_neutral: ClassVar[str | None] = "it always adds a field"

    event_id: Annotated[str, Field(pattern=r"^[^\r\n\x00]*$")] | None = None
    """The value of an ``id`` field."""
    retry: Annotated[int, Field(ge=0)] | None = None
    """Milliseconds in a ``retry`` field; 3000 when no field is given."""

    def lines(self) -> bytes:
        """One block with the fields."""
        retry = 3000 if self.event_id is None and self.retry is None else self.retry
        fields = {"id": self.event_id, "retry": retry}
        return "".join([*(f"{key}: {value}\n" for key, value in fields.items() if value is not None), "\n"]).encode()
