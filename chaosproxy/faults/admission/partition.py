"""partition: the link goes down, for new requests and for open streams."""

from __future__ import annotations

from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import AT_HEAL, Exchange, Travelling
from chaosproxy.faults.admission.answer import reset
from chaosproxy.faults.admission.live_stream import Live
from chaosproxy.faults.admission.lost_response import Lost
from chaosproxy.faults.base import Fault, Gate, Room, Stage
from chaosproxy.faults.stages import Instead


class Partition(Fault):
    """Cut the link between client and upstream; what the ends see depends on how it is cut."""

    type: ClassVar[str] = "partition"
    room: ClassVar[Room] = Room.ADMISSION
    symptom: ClassVar[str] = (
        "nothing gets through: refused, reset, or silence; open streams stop, and go on when it heals"
    )
    timeline: ClassVar[str] = (
        "upstream  h f f f f f f end\nclient    h f f |..........| f f f f end    (live_streams=stall)"
    )
    no_neutral: ClassVar[str | None] = "a link that is down is never the same as one that is up"

    mode: Literal["refuse", "blackhole", "reset", "lost_request", "lost_response"] = "blackhole"
    """For new requests. refuse: the port is closed; reset: accepted, then RST; blackhole and lost_request: read, never
    forwarded, never answered; lost_response: forwarded and answered, and the answer is lost."""
    live_streams: Literal["cut", "stall", "keep"] = "stall"
    """For exchanges that are open when it begins. cut: RST at once; stall: nothing arrives until it heals, then all of
    it, as TCP sends again what was lost; keep: untouched."""
    via: Literal["proxy", "toxiproxy"] = "proxy"
    """Who cuts the link: a listener of ours, or the Toxiproxy server of the experiment (topology.toxics.server)."""

    @property
    def needs_server(self) -> bool:
        """Toxiproxy's way of cutting is not ours."""
        return self.via == "toxiproxy"

    @property
    def stops_upstream(self) -> bool:
        """All but lost responses."""
        return self.mode != "lost_response"

    @property
    def reaches_open(self) -> bool:
        """A link that breaks breaks for everybody on it."""
        return self.live_streams != "keep"

    def gate(self) -> Gate | None:
        """What a new connection meets."""
        return {"refuse": Gate.REFUSE, "reset": Gate.RESET}.get(self.mode)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        if exchange.seen.open:
            return Live(self.live_streams)
        match self.mode:
            case "lost_response":
                return Lost("silence")
            case "refuse" | "reset":
                return Instead(exchange, "connection reset by the partition", reset)
            case "blackhole" | "lost_request":
                return Instead(exchange, "lost in the partition", _silence)


def _silence(at: float) -> list[Travelling]:
    del at
    return reset(AT_HEAL)
