"""sse.comment: keep-alive comments between the events."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import (
    Abort,
    End,
    Exchange,
    Frame,
    Head,
    Heal,
    Hit,
    Incoming,
    Kind,
    Meaning,
    Miss,
    Outgoing,
    Tick,
)
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import announced, lacks_event_stream, passing, unmeasured, unstreamed
from chaosproxy.units import Duration

_COMMENT = Meaning(Kind.KEEPALIVE)


class SseComment(Fault):
    """Send comments, as gateways do to keep a connection alive: one before the first event, and one each period.

    Clients that are no SSE parsers (google-genai, ollama) fail; watchdogs that count comments as progress never fire.
    """

    type: ClassVar[str] = "sse.comment"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "nothing, or a JSON decode error at a line that begins with a colon"
    timeline: ClassVar[str] = "upstream  h f . . . . f end\nclient    h : f : . : . f end"
    no_neutral: ClassVar[str | None] = "the first comment always comes"

    text: Annotated[str, Field(pattern=r"^[^\r\n]*$")] = "keep-alive"
    """What the comment says; empty: a bare colon, as llama.cpp sends it."""
    period: Annotated[Duration, Field(ge=0.001)] = 15.0
    """Between two comments."""

    @property
    def edits_frames(self) -> bool:
        """They stand between events."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Elsewhere there are no comments."""
        return lacks_event_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Commented(f":{self.text and ' '}{self.text}\n\n".encode(), self.period, exchange)


class Commented:
    """Adds comments from the first event on, until the end."""

    def __init__(self, comment: bytes, period_s: float, exchange: Exchange) -> None:
        self._comment = comment
        self._period_s = period_s
        self._seen = exchange.seen
        self._hit = False
        self._over = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._over:
            return passing(event)
        if isinstance(event, Frame):
            return (event,) if self._hit else self._begin(event)
        if isinstance(event, Tick) and self._hit:
            return [Frame(event.at, self._comment, _COMMENT), Tick(event.at + self._period_s)]
        miss = unstreamed(self._seen, event) or announced(self._seen, unmeasured, event)
        if miss is None and isinstance(event, Head):
            return (unmeasured(event),)
        self._over = miss is not None or isinstance(event, End | Abort | Heal)
        if self._over and not self._hit:
            return [miss or Miss(event.at, "the answer had no event"), *passing(event)]
        return passing(event)

    def _begin(self, frame: Frame) -> Sequence[Outgoing]:
        self._hit = True
        said = Hit(frame.at, f"inserted {self._comment!r} before an event and each period after it")
        return [said, Frame(frame.at, self._comment, _COMMENT), frame, Tick(frame.at + self._period_s)]
