"""time.stall: silence in mid-stream, with the connection open."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from random import Random
from typing import ClassVar, Self

from chaosproxy.events import AT_HEAL, Abort, Cut, Exchange, Frame, Hit, Miss, Outgoing, Travelling, moved
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtPlace, keep, lacks_place, split_frame, swallow
from chaosproxy.faults.where import Where, WhereSetting
from chaosproxy.units import Hold, format_hold


class TimeStall(Fault):
    """Fall silent at one place, for a while or for good.

    After a finite stall the rest follows at its own pace, as from an upstream that had paused. An endless one never
    goes on: when its lease ends, the connection is reset, because a client must not wait for ever.
    """

    type: ClassVar[str] = "time.stall"
    room: ClassVar[Room] = Room.TIMING
    symptom: ClassVar[str] = (
        "the answer stops in the middle and the connection stays open; the client waits or times out"
    )
    timeline: ClassVar[str] = "upstream  h f f f f end\nclient    h f f ............ f f end"

    where: WhereSetting = Where("token", 5)
    """Silence begins here."""
    hold: Hold = AT_HEAL
    """How long it lasts; ``forever``: until the lease ends, and then the connection is reset."""

    @classmethod
    def neutral(cls) -> Self:
        """No time."""
        return cls(hold=0.0)

    @property
    def edits_frames(self) -> bool:
        """Bytes can be counted in a compressed body, too."""
        return self.where.needs_frames

    def lacks(self, exchange: Exchange) -> str | None:
        """A place between events needs events."""
        return lacks_place(self.where, exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        after = swallow if isinf(self.hold) else self._later if self.hold else keep
        return AtPlace(self.where, exchange, self._stall, after=after)

    def _later(self, event: Travelling) -> Sequence[Outgoing]:
        return (moved(event, event.at + self.hold),)

    def _stall(self, frame: Frame, before: int) -> Sequence[Outgoing]:
        if not self.hold:
            return [Miss(frame.at, "it lasts no time"), frame]
        first, rest = split_frame(frame, before)
        hit = Hit(frame.at, f"stalled {self.where.place()} ({format_hold(self.hold)})")
        if isinf(self.hold):
            return [*first, hit, Abort(AT_HEAL, Cut.RESET)]
        return [*first, hit, *(moved(event, event.at + self.hold) for event in rest)]
