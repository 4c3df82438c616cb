"""stream.unclean_end: the answer is whole, and its connection ends uncleanly."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import Abort, Cut, End, Exchange, Framing, Head, Heal, Hit, Incoming, Miss, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import announced, chunked, passing


class StreamUncleanEnd(Fault):
    """Close or reset the connection after the whole answer, without completing the body.

    A client that reads on after the terminal event raises an error although it has everything, and may pay twice.
    """

    type: ClassVar[str] = "stream.unclean_end"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = (
        "the whole answer arrives, then its connection ends uncleanly (FIN, RST): an error at the end"
    )
    timeline: ClassVar[str] = "upstream  h f f f DONE end\nclient    h f f f DONE FIN"
    no_neutral: ClassVar[str | None] = "an unclean end is never a clean one"

    how: Literal["fin", "reset"] = "fin"
    """fin: closed without the last chunk; reset: RST."""

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return UncleanEnd(Cut.FIN if self.how == "fin" else Cut.RESET, exchange)


class UncleanEnd:
    """Puts an Abort in the place of the End. A body needs chunks to miss the last one."""

    def __init__(self, how: Cut, exchange: Exchange) -> None:
        self._how = how
        self._seen = exchange.seen
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._settled:
            return passing(event)
        miss = announced(self._seen, chunked, event)
        match event:
            case _ if miss is not None:
                return self._miss(event, miss.reason)
            case Head(framing=Framing.EMPTY):
                return self._miss(event, "the answer has no body")
            case Head():
                return (chunked(event),)
            case End(at):
                self._settled = True
                how = "closed (FIN)" if self._how is Cut.FIN else "reset (RST)"
                return [Hit(at, f"{how} after the whole answer"), Abort(at, self._how)]
            case Abort():
                return self._miss(event, "the answer ended uncleanly by itself")
            case Heal():
                return self._miss(event, "healed before the answer ended")
        return passing(event)

    def _miss(self, event: Incoming, reason: str) -> Sequence[Outgoing]:
        self._settled = True
        return [Miss(event.at, reason), *passing(event)]
