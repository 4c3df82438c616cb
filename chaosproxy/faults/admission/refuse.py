"""conn.refuse, conn.reset and conn.close: nobody answers at this port."""

from __future__ import annotations

from random import Random
from typing import ClassVar, Literal

from pydantic import Field

from chaosproxy.events import Abort, Cut, Exchange
from chaosproxy.faults.base import Fault, Gate, Room, Stage
from chaosproxy.faults.stages import Instead


class _ClosedDoor(Fault):
    """End connections before any answer."""

    room: ClassVar[Room] = Room.ADMISSION
    no_neutral: ClassVar[str | None] = "a connection that ends is never the same as an open one"
    door: ClassVar[Gate]
    done: ClassVar[str] = "connection reset before any answer"
    """What happened to an exchange, in the past tense."""
    how: ClassVar[Cut] = Cut.RESET

    ended_at: Literal["accept", "after_request"] = Field(default="accept", alias="stage")
    """accept: no connection is let in; after_request: the request is read before its connection ends."""

    @property
    def stops_upstream(self) -> bool:
        """Nothing goes through."""
        return True

    def gate(self) -> Gate | None:
        """With ``accept`` the listener lets nobody in."""
        return self.door if self.ended_at == "accept" else None

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Instead(exchange, self.done, lambda at: [Abort(at, self.how)])


class ConnRefuse(_ClosedDoor):
    """Refuse connections, like a server that is down or restarting.

    Requests on connections that were open before are reset: a dead server has none.
    """

    type: ClassVar[str] = "conn.refuse"
    door: ClassVar[Gate] = Gate.REFUSE
    symptom: ClassVar[str] = "connection refused; with stage=after_request a connection reset before any answer"
    timeline: ClassVar[str] = "client    SYN\nlistener  RST"

    ended_at: Literal["accept", "after_request"] = Field(default="accept", alias="stage")
    """accept: the port does not listen; after_request: the request is read, then the connection is reset."""


class ConnReset(_ClosedDoor):
    """Reset connections, like a load balancer whose target has died."""

    type: ClassVar[str] = "conn.reset"
    door: ClassVar[Gate] = Gate.RESET
    symptom: ClassVar[str] = "connection reset by peer before any answer (RST); SDKs retry it as a connection error"
    timeline: ClassVar[str] = "client    ask\nlistener  RST"

    ended_at: Literal["accept", "after_request"] = Field(default="after_request", alias="stage")
    """accept: reset as soon as it is there; after_request: the request is read, then the connection is reset."""


class ConnClose(_ClosedDoor):
    """Close connections without an answer, like a server that is shutting down."""

    type: ClassVar[str] = "conn.close"
    door: ClassVar[Gate] = Gate.CLOSE
    done: ClassVar[str] = "connection closed (FIN) before any answer"
    how: ClassVar[Cut] = Cut.FIN
    symptom: ClassVar[str] = "server disconnected without sending a response (FIN); SDKs retry it as a connection error"
    timeline: ClassVar[str] = "client    ask\nlistener  FIN"

    ended_at: Literal["accept", "after_request"] = Field(default="after_request", alias="stage")
    """accept: closed as soon as it is there; after_request: the request is read, then the connection is closed."""
