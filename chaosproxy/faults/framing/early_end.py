"""What the faults share that end an answer before it is complete, each in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from chaosproxy.events import Exchange, Frame, Head, Hit, Outgoing, Terminal
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtPlace, lacks_place, split_frame
from chaosproxy.faults.where import Where, WhereSetting


class EarlyEnd(Fault):
    """End the answer at one place."""

    room: ClassVar[Room] = Room.FRAMING
    done: ClassVar[str]
    """What was done to the connection, in the past tense."""

    where: WhereSetting = Where("token", 5)
    """The answer ends here."""

    @property
    def edits_frames(self) -> bool:
        """Bytes can be counted in a compressed body, too."""
        return self.where.needs_frames

    def lacks(self, exchange: Exchange) -> str | None:
        """A place between events needs events."""
        return lacks_place(self.where, exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return AtPlace(self.where, exchange, self._cut, reframe=self._reframe)

    def _reframe(self, head: Head) -> Head:
        return head

    def _cut(self, frame: Frame, before: int) -> Sequence[Outgoing]:
        kept, _ = split_frame(frame, before)
        return [*kept, Hit(frame.at, f"{self.done} {self.where.place()}"), self._end(frame.at)]

    def _end(self, at: float) -> Terminal:
        raise NotImplementedError
