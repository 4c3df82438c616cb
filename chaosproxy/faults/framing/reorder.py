"""sse.reorder: an event is overtaken by those behind it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import Abort, End, Exchange, Frame, Heal, Hit, Incoming, Miss, Outgoing, moved
from chaosproxy.faults.base import Stage
from chaosproxy.faults.framing.chosen import ChosenEvents, words
from chaosproxy.faults.stages import passing, unstreamed
from chaosproxy.faults.where import Place

_ENDINGS = (End, Abort, Heal)


class SseReorder(ChosenEvents):
    """Send whole events later than the events behind them, like two writers of one stream that race."""

    type: ClassVar[str] = "sse.reorder"
    done: ClassVar[str] = "moved"
    symptom: ClassVar[str] = (
        "words are in the wrong order inside the answer; it ends normally, and no client raises an error"
    )
    timeline: ClassVar[str] = "upstream  h f1 f2 f3 f4 end\nclient    h f1 f3 f2 f4 end    (where=event:2)"
    no_neutral: ClassVar[str | None] = (
        "two events always change places; a place that is never reached is a miss, not a setting"
    )

    distance: Annotated[int, Field(ge=1)] = 1
    """How many events overtake it; an event that ``never`` protects is not overtaken and overtakes nothing."""

    def stage(self, dice: object, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Reordered(self, exchange)


class Reordered:
    """Holds one chosen event at a time, until ``distance`` others have passed it."""

    def __init__(self, fault: SseReorder, exchange: Exchange) -> None:
        self._fault = fault
        self._seen = exchange.seen
        self._place = Place(fault.place, exchange.seen) if fault.each is None else None
        self._numbers = count(exchange.seen.events + 1)
        self._taken = False
        self._held: Frame | None = None
        self._overtaken = 0
        self._differs = False  # one that overtook it, from it
        self._said = False
        self._gave_up = False
        self._missed = "the answer ended before an event to move"

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if isinstance(event, Frame):
            return self._feed_frame(event)
        released = self._release(event.at) if isinstance(event, _ENDINGS) else []
        miss = None if self._said else self._miss(event)
        if miss is None:
            return [*released, *passing(event)]
        self._said = True
        return [miss, *released, *passing(event)]

    def _feed_frame(self, frame: Frame) -> Sequence[Outgoing]:
        chosen, protected = self._chosen(frame), self._fault.protected(frame)
        if self._held is not None and protected:
            return [*self._release(frame.at), frame]
        if self._held is not None:
            self._overtaken += 1
            self._differs = self._differs or frame.data != self._held.data
            return [frame, *self._release(frame.at)] if self._overtaken == self._fault.distance else (frame,)
        if not chosen or self._gave_up:
            return (frame,)
        if protected:
            self._missed = f"{words(frame)}: never moved (never={protected})"
            return (frame,)
        self._held, self._overtaken, self._differs = frame, 0, False
        return ()

    def _chosen(self, frame: Frame) -> bool:
        number = next(self._numbers)
        if self._place is None:
            return self._fault.numbered(number)
        chosen = self._place.offset(frame) is not None and not self._taken
        self._taken = self._taken or chosen
        return chosen

    def _release(self, at: float) -> list[Outgoing]:
        held, self._held = self._held, None
        if held is None:
            return []
        if not self._differs:
            self._missed = "no other event came that could overtake it"
        if self._said or not self._differs:
            return [moved(held, at)]
        self._said = True
        return [Hit(at, f"moved an event ({words(held)}) behind {self._overtaken} others"), moved(held, at)]

    def _miss(self, event: Incoming) -> Miss | None:
        miss = unstreamed(self._seen, event)
        if miss is None and self._place is not None and not self._taken:
            miss = self._place.miss(event)
        if miss is None and isinstance(event, _ENDINGS):
            miss = Miss(event.at, self._missed)
        self._gave_up = miss is not None
        return miss
