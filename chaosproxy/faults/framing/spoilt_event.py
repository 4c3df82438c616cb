"""What the faults share that spoil the envelope of one event; the stream goes on after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import ClassVar

from chaosproxy.events import Exchange, Frame, Hit, Miss, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtEvent, keep, lacks_stream, unmeasured
from chaosproxy.faults.where import Where, WhereSetting
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.base import Dialect


class SpoiltEvent(Fault):
    """Change the bytes of the event at one place."""

    room: ClassVar[Room] = Room.FRAMING

    where: WhereSetting = Where("token", 5)
    """The event that is broken."""

    @property
    def edits_frames(self) -> bool:
        """Whole events have to be found."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have events."""
        return lacks_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        spoken = dialect(exchange.dialect)

        def spoil(frame: Frame, before: int) -> Sequence[Outgoing]:
            del before
            data, words = self._spoilt(spoken, frame)
            if data == frame.data:
                return [Miss(frame.at, f"{self.where.words()} {words}"), frame]
            broken = replace(frame, data=data, meaning=spoken.read_event(data))
            return [Hit(frame.at, f"{self.where.words()} {words}"), broken]

        return AtEvent(self.where, exchange, spoil, after=keep, reframe=unmeasured)

    def _spoilt(self, spoken: Dialect, frame: Frame) -> tuple[bytes, str]:
        """The new bytes, and what became of the event; or the same bytes, and why it cannot be spoilt."""
        raise NotImplementedError
