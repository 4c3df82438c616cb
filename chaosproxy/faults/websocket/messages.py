"""What faults on WebSocket messages share: which frame belongs to which message, and why there are none.

The chain carries what the upstream sends, one WebSocket frame each, behind a Head of status 101. A large frame comes
in pieces: the meaning of those that follow the first is RAW.
"""

from __future__ import annotations

from typing import NamedTuple

from chaosproxy.events import Abort, End, Exchange, Frame, Head, Heal, Incoming, Kind, Miss, Seen, Tick, header
from chaosproxy.faults.base import Fault
from chaosproxy.wire.websocket import read_head


class MessageFault(Fault):
    """Do something to the messages that the upstream sends over a WebSocket.

    Connections are reached that are upgraded while it acts; what the client sends passes as it is.
    """

    @property
    def on_messages(self) -> bool:
        """It has nothing to do before a connection is upgraded."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only WebSockets have messages."""
        upgrade = header(exchange.headers, "upgrade") or ""
        return None if upgrade.lower() == "websocket" else "the request does not ask for a WebSocket"


class Part(NamedTuple):
    """What a frame is: of which message (from 1), and whether that ``begins`` or ``ends`` with it.

    A frame that is no part of a message has the number of none: 0.
    """

    number: int
    begins: bool = False
    ends: bool = False


class Messages:
    """Counts the messages of one connection."""

    def __init__(self) -> None:
        self._number = 0
        self._control = False
        self._last = False
        self._left = 0  # bytes of the frame that is under way

    def read(self, frame: Frame) -> Part:
        """The next frame, or the next piece of one."""
        if frame.kind == Kind.RAW:
            self._left -= len(frame.data)
            return self._part(begins=False)
        head = read_head(frame.data)
        if head is None:  # the connection ended inside the first bytes of a frame
            return Part(0)
        self._control, self._last, self._left = head.control, head.fin, head.size - len(frame.data)
        begins = not head.control and head.opcode != 0
        self._number += begins
        return self._part(begins=begins)

    def _part(self, *, begins: bool) -> Part:
        if self._control:
            return Part(0)
        return Part(self._number, begins, self._last and self._left <= 0)


def without_messages(seen: Seen, event: Incoming, missed: str) -> Miss | None:
    """Why nothing can be done, when an event tells it; ``missed`` is the reason at an end."""
    match event:
        case Tick(at) if seen.head is not None:
            return Miss(at, "the answer had already begun")
        case Head(at, status) if status != 101:
            return Miss(at, f"the connection was not upgraded ({status})")
        case Heal(at):
            return Miss(at, "healed before it could act")
        case End(at) | Abort(at):
            return Miss(at, missed)
    return None
