"""stream.reset: the connection is torn down with an RST."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import ClassVar

from chaosproxy.events import Abort, Cut, Exchange, Frame, Hit, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtPlace, lacks_place, split_frame
from chaosproxy.faults.where import Where, WhereSetting


class StreamReset(Fault):
    """Reset the connection in mid-stream, like a killed process or a firewall.

    A kernel may throw away what it has received but not yet handed over when an RST comes, so the client may see less
    than what was sent before it.
    """

    type: ClassVar[str] = "stream.reset"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "the answer stops in the middle with 'connection reset by peer' (RST)"
    timeline: ClassVar[str] = "upstream  h f f f f f f end\nclient    h f f RST"
    no_neutral: ClassVar[str | None] = (
        "a reset always breaks the body; a place that is never reached is a miss, not a setting"
    )

    where: WhereSetting = Where("token", 5)
    """The connection is reset here."""

    @property
    def edits_frames(self) -> bool:
        """Bytes can be counted in a compressed body, too."""
        return self.where.needs_frames

    def lacks(self, exchange: Exchange) -> str | None:
        """A place between events needs events."""
        return lacks_place(self.where, exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return AtPlace(self.where, exchange, self._reset)

    def _reset(self, frame: Frame, before: int) -> Iterable[Outgoing]:
        kept, _ = split_frame(frame, before)
        return [*kept, Hit(frame.at, f"reset (RST) {self.where.place()}"), Abort(frame.at, Cut.RESET)]
