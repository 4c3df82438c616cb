"""conn.refuse: nobody answers at this port."""

from __future__ import annotations

from random import Random
from typing import ClassVar, Literal

from pydantic import Field

from chaosproxy.events import Exchange
from chaosproxy.faults.admission.answer import reset
from chaosproxy.faults.base import Fault, Gate, Room, Stage
from chaosproxy.faults.stages import Instead


class ConnRefuse(Fault):
    """Refuse connections, like a server that is down or restarting.

    Requests on connections that were open before are reset: a dead server has none.
    """

    type: ClassVar[str] = "conn.refuse"
    room: ClassVar[Room] = Room.ADMISSION
    symptom: ClassVar[str] = "connection refused; with stage=after_request a connection reset before any answer"
    timeline: ClassVar[str] = "client    SYN\nlistener  RST"
    no_neutral: ClassVar[str | None] = "a refused connection is never the same as an open one"

    refused_at: Literal["accept", "after_request"] = Field(default="accept", alias="stage")
    """accept: the port does not listen; after_request: the request is read, then the connection is reset."""

    @property
    def stops_upstream(self) -> bool:
        """Nothing goes through."""
        return True

    def gate(self) -> Gate | None:
        """With ``accept`` the listener closes."""
        return Gate.REFUSE if self.refused_at == "accept" else None

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Instead(exchange, "connection reset before any answer", reset)
