"""conn.partial_head: the connection closes inside the head of the answer."""

from __future__ import annotations

from random import Random
from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import Abort, Cut, Exchange, Travelling, Unframed
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import Instead
from chaosproxy.wire.dialects import dialect


class ConnPartialHead(Fault):
    """Send the beginning of a status line and header fields, then close; the upstream is not asked."""

    type: ClassVar[str] = "conn.partial_head"
    room: ClassVar[Room] = Room.ADMISSION
    symptom: ClassVar[str] = "server disconnected inside the head of its answer; SDKs retry it as a connection error"
    timeline: ClassVar[str] = "client    ask\nupstream  (not asked)\nclient    HTTP/1.1 200 OK, Content-Ty FIN"
    no_neutral: ClassVar[str | None] = "it never asks the upstream"

    head_bytes: Annotated[int, Field(ge=1)] = 30
    """How much of the head comes; at most all but the blank line."""

    @property
    def stops_upstream(self) -> bool:
        """Nothing goes through."""
        return True

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        media_type = dialect(exchange.dialect).stream_type
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nTransfer-Encoding: chunked".encode()
        sent = head[: self.head_bytes]

        def reply(at: float) -> list[Travelling]:
            return [Unframed(at, sent), Abort(at, Cut.FIN)]

        return Instead(exchange, f"closed after {len(sent)} bytes of the head", reply)
