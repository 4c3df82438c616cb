"""What the faults share that put lines of their own between the events of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from chaosproxy.events import Exchange, Frame, Hit, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtEvent, keep, lacks_event_stream, unmeasured
from chaosproxy.faults.where import Where
from chaosproxy.wire.dialects import dialect


class InsertedLines(Fault):
    """Put one block of lines into a stream of server-sent events."""

    room: ClassVar[Room] = Room.FRAMING
    place: ClassVar[Where]
    """Where the lines come: before the first event, or in mid-stream."""

    @property
    def edits_frames(self) -> bool:
        """They stand between events."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Elsewhere they would be part of the JSON."""
        return lacks_event_stream(exchange)

    def lines(self) -> bytes:
        """What is inserted, with its blank line."""
        raise NotImplementedError

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        lines = self.lines()
        meaning = dialect(exchange.dialect).read_event(lines)

        def insert(frame: Frame, before: int) -> Sequence[Outgoing]:
            inserted: list[Outgoing] = [
                Hit(frame.at, f"inserted {lines!r} {self.place.place()}"),
                Frame(frame.at, lines, meaning),
            ]
            return [frame, *inserted] if before else [*inserted, frame]

        return AtEvent(self.place, exchange, insert, after=keep, reframe=unmeasured)
