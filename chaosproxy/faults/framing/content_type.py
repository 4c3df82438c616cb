"""stream.content_type: the right body under the wrong name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import Abort, End, Exchange, Head, Heal, Hit, Incoming, Miss, Outgoing, header
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import passing


class StreamContentType(Fault):
    """Send the answer under another media type, like a gateway that sets its own default."""

    type: ClassVar[str] = "stream.content_type"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "nothing: Python's clients do not look at the content type; others may refuse the answer"
    timeline: ClassVar[str] = "upstream  h(event-stream) f f f end\nclient    h(html) f f f end"
    no_neutral: ClassVar[str | None] = "a type that the answer has already is a miss, not a setting"

    value: Annotated[str, Field(pattern=r"^[^\r\n]*$")] = "text/html"
    """The Content-Type."""

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Retyped(self.value, exchange)


class Retyped:
    """Changes one header field."""

    def __init__(self, value: str, exchange: Exchange) -> None:
        self._value = value
        self._begun = exchange.seen.head is not None
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._settled:
            return passing(event)
        said = self._judged(event)
        if said is None:
            return passing(event)
        self._settled = True
        return [said, self._retyped(event)] if isinstance(event, Head) else [said, *passing(event)]

    def _judged(self, event: Incoming) -> Hit | Miss | None:
        if self._begun:
            return Miss(event.at, "the head had already been sent")
        if isinstance(event, Head):
            before = header(event.headers, "content-type")
            if before == self._value:
                return Miss(event.at, f"the answer was {self._value} already")
            return Hit(event.at, f"called {self._value} in place of {before}")
        return Miss(event.at, "there was no answer") if isinstance(event, End | Abort | Heal) else None

    def _retyped(self, head: Head) -> Head:
        kept = tuple(pair for pair in head.headers if pair[0].lower() != "content-type")
        return replace(head, headers=(*kept, ("content-type", self._value)))
