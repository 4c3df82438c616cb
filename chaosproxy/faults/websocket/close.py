"""ws.close: the server ends the conversation."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import End, Exchange, Frame, Hit, Incoming, Outgoing
from chaosproxy.faults.base import Room, Stage
from chaosproxy.faults.stages import passing
from chaosproxy.faults.websocket.messages import MessageFault, Messages, without_messages
from chaosproxy.faults.where import MessageSetting, Where
from chaosproxy.wire.websocket import close_frame


class WsClose(MessageFault):
    """Close a WebSocket with a code, as a server does that fails or is shut down.

    The client's own close frame reaches the upstream, so the connection ends cleanly on both sides.
    """

    type: ClassVar[str] = "ws.close"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "the WebSocket is closed in the middle of a conversation, with a close code such as 1011"
    timeline: ClassVar[str] = "upstream  101 m m m m\nclient    101 m close end"
    no_neutral: ClassVar[str | None] = "a connection that is closed is never the same as an open one"

    where: MessageSetting = Where("message", 1)
    """After message N, counted from 1; message:0 is before the first."""
    code: Annotated[int, Field(ge=1000, le=4999)] = 1011
    """1000 normal, 1001 going away, 1008 policy, 1011 internal error, 1012 restart, 1013 try again later; 4000 and up
    are the provider's own."""

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Closed(self.where, self.code, exchange)


class Closed:
    """Passes messages until its place, and then nothing more."""

    def __init__(self, where: Where, code: int, exchange: Exchange) -> None:
        self._where = where
        self._code = code
        self._seen = exchange.seen
        self._messages = Messages()
        self._acted = False
        self._missed = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._acted:
            return ()
        if self._missed:
            return passing(event)
        if isinstance(event, Frame):
            return self._frame(event)
        found = without_messages(self._seen, event, f"the connection ended before {self._where.words()}")
        if found is None:
            return passing(event)
        self._missed = True
        return (found, *passing(event))

    def _frame(self, frame: Frame) -> Sequence[Outgoing]:
        part = self._messages.read(frame)
        if self._where.count == 0:
            return self._close(frame.at) if part.begins else (frame,)
        reached = part.ends and part.number == self._where.count
        return (frame, *self._close(frame.at)) if reached else (frame,)

    def _close(self, at: float) -> Sequence[Outgoing]:
        self._acted = True
        hit = Hit(at, f"closed with code {self._code} {self._where.place()}")
        return (hit, Frame(at, close_frame(self._code)), End(at))
