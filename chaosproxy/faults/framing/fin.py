"""stream.fin: the connection closes before the body is complete."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import ClassVar

from chaosproxy.events import Abort, Cut, Exchange, Frame, Framing, Head, Hit, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtPlace, lacks_place, split_frame
from chaosproxy.faults.where import Where, WhereSetting


class StreamFin(Fault):
    """Close the connection without the last chunk, like a crashed process behind a load balancer.

    The body gets chunks if it had none, because elsewhere a FIN may be a clean end.
    """

    type: ClassVar[str] = "stream.fin"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = (
        "the answer stops in the middle and the connection closes (FIN); clients raise an incomplete-read error"
    )
    timeline: ClassVar[str] = "upstream  h f f f f f f end\nclient    h f f FIN"
    no_neutral: ClassVar[str | None] = (
        "a close always breaks the body; a place that is never reached is a miss, not a setting"
    )

    where: WhereSetting = Where("token", 5)
    """The connection closes here. ``after_terminal``: the whole text arrives, only the last chunk is missing."""

    @property
    def edits_frames(self) -> bool:
        """Bytes can be counted in a compressed body, too."""
        return self.where.needs_frames

    def lacks(self, exchange: Exchange) -> str | None:
        """A place between events needs events."""
        return lacks_place(self.where, exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return AtPlace(self.where, exchange, self._close, reframe=_chunked)

    def _close(self, frame: Frame, before: int) -> Iterable[Outgoing]:
        kept, _ = split_frame(frame, before)
        return [*kept, Hit(frame.at, f"connection closed (FIN) {self.where.place()}"), Abort(frame.at, Cut.FIN)]


def _chunked(head: Head) -> Head:
    return head if head.framing is Framing.EMPTY else head.framed(Framing.CHUNKED)
