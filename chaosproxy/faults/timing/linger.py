"""time.linger: the answer is complete, and its connection stays open."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Self

from chaosproxy.events import Abort, End, Exchange, Head, Heal, Hit, Incoming, Miss, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import announced, passing, unmeasured
from chaosproxy.units import Hold, format_hold


class TimeLinger(Fault):
    """Do not end the body after the last event, for a while or until the lease ends.

    A client that waits for the end, and not for the terminal event, waits with it (earendil-works/pi#7954). An answer
    with a length becomes a chunked one, because otherwise the client would know its end.
    """

    type: ClassVar[str] = "time.linger"
    room: ClassVar[Room] = Room.TIMING
    symptom: ClassVar[str] = "the whole answer arrives and the call does not return; the connection stays open"
    timeline: ClassVar[str] = "upstream  h f f f DONE end\nclient    h f f f DONE ............ end"

    hold: Hold = 60.0
    """How long; ``forever``: until the lease ends."""

    @classmethod
    def neutral(cls) -> Self:
        """No time."""
        return cls(hold=0.0)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Lingering(self.hold, exchange)


class Lingering:
    """Moves the End."""

    def __init__(self, hold_s: float, exchange: Exchange) -> None:
        self._hold_s = hold_s
        self._seen = exchange.seen
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._settled:
            return passing(event)
        miss = announced(self._seen, unmeasured, event)
        match event:
            case _ if miss is not None:
                return self._miss(event, miss.reason)
            case _ if not self._hold_s:
                return self._miss(event, "it lasts no time")
            case Head():
                return (unmeasured(event),)
            case End(at):
                self._settled = True
                return [Hit(at, f"left open after the end ({format_hold(self._hold_s)})"), End(at + self._hold_s)]
            case Abort():
                return self._miss(event, "the answer broke off")
            case Heal():
                return self._miss(event, "healed before the answer ended")
        return passing(event)

    def _miss(self, event: Incoming, reason: str) -> Sequence[Outgoing]:
        self._settled = True
        return [Miss(event.at, reason), *passing(event)]
