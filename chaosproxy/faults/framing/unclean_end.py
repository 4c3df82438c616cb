"""stream.unclean_end: the answer is whole, and its connection ends uncleanly."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import Abort, Cut, Exchange, Hit, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.body_end import AtBodyEnd
from chaosproxy.faults.stages import chunked


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


class UncleanEnd(AtBodyEnd):
    """Puts an Abort in the place of the End. A body needs chunks to miss the last one."""

    def __init__(self, how: Cut, exchange: Exchange) -> None:
        super().__init__(exchange, chunked)
        self._how = how

    def ending(self, at: float) -> Sequence[Outgoing]:
        how = "closed (FIN)" if self._how is Cut.FIN else "reset (RST)"
        return [Hit(at, f"{how} after the whole answer"), Abort(at, self._how)]
