"""time.keepalive_only: a stream that is alive and says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from chaosproxy.events import Abort, Cut, Exchange, Frame, Head, Heal, Hit, Incoming, Kind, Meaning, Outgoing, Tick
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import announced, lacks_event_stream, lacks_place, passing, split_frame, unmeasured
from chaosproxy.faults.where import Place, Where, WhereSetting
from chaosproxy.units import Duration

_SIGNS = {
    "comment": b": keep-alive\n\n",
    "ping": b'event: ping\ndata: {"type": "ping"}\n\n',
    "byte": b" ",
}


class TimeKeepaliveOnly(Fault):
    """Stop the answer at one place and send nothing but signs of life, until the lease ends in a reset.

    Every read timeout begins anew at each of them, so every client hangs that has no deadline for the whole answer.
    """

    type: ClassVar[str] = "time.keepalive_only"
    room: ClassVar[Room] = Room.TIMING
    symptom: ClassVar[str] = (
        "the answer stops in the middle, the connection stays open and keeps sending; no timeout ever fires"
    )
    timeline: ClassVar[str] = "upstream  h f f f f end\nclient    h f f : : : : : : : : RST"
    no_neutral: ClassVar[str | None] = "the rest of the answer never comes"

    where: WhereSetting = Where("token", 5)
    """The answer stops here."""
    kind: Literal["comment", "ping", "byte"] = "comment"
    """comment, ping: lines of server-sent events; byte: a single space, in any body."""
    period: Annotated[Duration, Field(ge=0.001)] = 1.0
    """Between two of them."""

    @property
    def edits_frames(self) -> bool:
        """Bytes can be counted in a compressed body, too."""
        return self.where.needs_frames

    def lacks(self, exchange: Exchange) -> str | None:
        """Comments and pings are for event streams."""
        return lacks_place(self.where, exchange) if self.kind == "byte" else lacks_event_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Zombie(self, exchange)


class Zombie:
    """Passes the answer until its place; from there on only signs of life."""

    def __init__(self, fault: TimeKeepaliveOnly, exchange: Exchange) -> None:
        self._fault = fault
        self._seen = exchange.seen
        self._place = Place(fault.where, exchange.seen)
        self._sign = _SIGNS[fault.kind], Meaning(Kind.KEEPALIVE)
        self._acts = False
        self._missed = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._acts:
            return self._go_on(event)
        if self._missed:
            return passing(event)
        if isinstance(event, Frame) and (before := self._place.offset(event)) is not None:
            self._acts = True
            first, _ = split_frame(event, before)
            said = Hit(event.at, f"only signs of life ({self._fault.kind}) {self._fault.where.place()}")
            return [*first, said, Tick(event.at + self._fault.period)]
        if isinstance(event, Frame):
            return (event,)
        miss = announced(self._seen, unmeasured, event) or self._place.miss(event)
        if miss is None:
            return [unmeasured(each) if isinstance(each, Head) else each for each in passing(event)]
        self._missed = True
        return [miss, *passing(event)]

    def _go_on(self, event: Incoming) -> Sequence[Outgoing]:
        match event:
            case Tick(at):
                return [Frame(at, *self._sign), Tick(at + self._fault.period)]
            case Heal(at):
                return [Abort(at, Cut.RESET)]
        return ()
