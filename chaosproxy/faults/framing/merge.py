"""sse.merge: two events become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import Abort, End, Exchange, Frame, Head, Heal, Hit, Incoming, Miss, Outgoing, moved
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import announced, lacks_event_stream, passing, unmeasured, unstreamed
from chaosproxy.faults.where import Place, Where, WhereSetting
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.editing import payload_span


class SseMerge(Fault):
    """Leave out the blank line between two events, so that they are one whose data has two lines."""

    type: ClassVar[str] = "sse.merge"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "a JSON decode error in mid-stream (extra data), or words are missing without an error"
    timeline: ClassVar[str] = "upstream  h f1 f2 f3 f4 end\nclient    h f1 f2+f3 f4 end"
    no_neutral: ClassVar[str | None] = "two events always become one; a place that is never reached is a miss"

    where: WhereSetting = Where("token", 5)
    """The event that loses its blank line."""
    mode: Literal["blank_line", "data_lines"] = "blank_line"
    """blank_line: all lines of both events stay; data_lines: only the data of the second one is added to the first."""

    @property
    def edits_frames(self) -> bool:
        """Whole events have to be found."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only server-sent events have blank lines."""
        return lacks_event_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Merged(self, exchange)


class Merged:
    """Holds the event at the place until the next one comes, whose time the two then share."""

    def __init__(self, fault: SseMerge, exchange: Exchange) -> None:
        self._fault = fault
        self._seen = exchange.seen
        self._place = Place(fault.where, exchange.seen)
        self._spoken = dialect(exchange.dialect)
        self._first: Frame | None = None
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._settled:
            return passing(event)
        if isinstance(event, Frame):
            return self._feed_frame(event)
        miss = unstreamed(self._seen, event) or announced(self._seen, unmeasured, event)
        if miss is None and self._first is not None and isinstance(event, End | Abort | Heal):
            miss = Miss(event.at, f"no event came after {self._fault.where.words()}")
        miss = miss or (None if self._first else self._place.miss(event))
        if miss is not None:
            return [miss, *self._settle(event.at), *passing(event)]
        return (unmeasured(event),) if isinstance(event, Head) else passing(event)

    def _feed_frame(self, frame: Frame) -> Sequence[Outgoing]:
        if self._first is not None:
            return self._merge(self._first, frame)
        if self._place.offset(frame) is None:
            return (frame,)
        self._first = frame
        return ()

    def _merge(self, first: Frame, second: Frame) -> Sequence[Outgoing]:
        span = payload_span(self._spoken, second.data)
        if span is None:
            reason = f"the event after {self._fault.where.words()} has no data"
            return [Miss(second.at, reason), *self._settle(second.at), second]
        self._settled, self._first = True, None
        begin = first.data.rstrip(b"\r\n") + b"\n"
        added = second.data if self._fault.mode == "blank_line" else b"data: " + second.data[slice(*span)] + b"\n\n"
        data = begin + added
        one = replace(second, data=data, meaning=self._spoken.read_event(data))
        return [Hit(second.at, f"{self._fault.where.words()} and the event after it became one"), one]

    def _settle(self, at: float) -> list[Frame]:
        first, self._first, self._settled = self._first, None, True
        return [] if first is None else [moved(first, at)]
