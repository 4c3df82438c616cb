"""time.linger: the answer is complete, and its connection stays open."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Self

from chaosproxy.events import End, Exchange, Hit, Incoming, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.body_end import AtBodyEnd
from chaosproxy.faults.stages import unmeasured
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


class Lingering(AtBodyEnd):
    """Moves the End."""

    def __init__(self, hold_s: float, exchange: Exchange) -> None:
        super().__init__(exchange, unmeasured)
        self._hold_s = hold_s

    def why_not(self, event: Incoming) -> str | None:
        return super().why_not(event) if self._hold_s else "it lasts no time"

    def ending(self, at: float) -> Sequence[Outgoing]:
        return [Hit(at, f"left open after the end ({format_hold(self._hold_s)})"), End(at + self._hold_s)]
