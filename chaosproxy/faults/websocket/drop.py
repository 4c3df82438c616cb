"""ws.drop: some messages never come."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import Exchange, Frame, Head, Hit, Incoming, Miss, Outgoing, header
from chaosproxy.faults.base import Room, Stage
from chaosproxy.faults.stages import passing
from chaosproxy.faults.websocket.messages import MessageFault, Messages, without_messages


class WsDrop(MessageFault):
    """Drop every Nth message of a WebSocket; the connection stays valid, and nothing tells of what is missing."""

    type: ClassVar[str] = "ws.drop"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "messages of a WebSocket are missing, without any error; sequence numbers have gaps"
    timeline: ClassVar[str] = "upstream  101 m m m m end\nclient    101 m   m   end"
    no_neutral: ClassVar[str | None] = "every Nth message is dropped, however large N is"

    each: Annotated[int, Field(ge=1)] = 2
    """Drops every Nth message; pings and other control frames are not counted."""

    @property
    def edits_frames(self) -> bool:
        """A compressed message refers to those before it: without one of them the client could not read the next."""
        return True

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Dropped(self.each, exchange)


class Dropped:
    """Swallows all frames of the chosen messages."""

    def __init__(self, each: int, exchange: Exchange) -> None:
        self._each = each
        self._seen = exchange.seen
        self._messages = Messages()
        self._missed = False
        self._hit = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._missed:
            return passing(event)
        if isinstance(event, Frame):
            return self._frame(event)
        missed = f"the connection ended before message {self._each}"
        miss = _compressed(event) or without_messages(self._seen, event, missed)
        if self._hit or miss is None:
            return passing(event)
        self._missed = True
        return (miss, *passing(event))

    def _frame(self, frame: Frame) -> Sequence[Outgoing]:
        number = self._messages.read(frame).number
        if number == 0 or number % self._each:
            return (frame,)
        if self._hit:
            return ()
        self._hit = True
        return (Hit(frame.at, f"dropped one message in {self._each}, first message {number}"),)


def _compressed(event: Incoming) -> Miss | None:
    """The upstream uses an extension that it was not offered, or was offered before this fault began."""
    if not isinstance(event, Head):
        return None
    extensions = header(event.headers, "sec-websocket-extensions")
    return Miss(event.at, f"the messages were compressed ({extensions})") if extensions else None
