"""sse.drop: whole events are lost, and what is left is a well-formed stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from random import Random
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from chaosproxy.events import Exchange, Frame, Hit, Kind, Miss, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtPlace, EachFrame, keep, lacks_stream, unmeasured
from chaosproxy.faults.where import Where, WhereSetting
from chaosproxy.units import split_list

_PROTECTED = {"terminal": Kind.TERMINAL, "usage": Kind.USAGE, "finish": Kind.FINISH}


class SseDrop(Fault):
    """Lose whole events: a buggy relay, an overfull queue. No client notices on a plain chat stream."""

    type: ClassVar[str] = "sse.drop"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "words are missing inside the answer; it ends normally, and no client raises an error"
    timeline: ClassVar[str] = "upstream  h f1 f2 f3 f4 f5 f6 end\nclient    h f1 f2    f4 f5    end    (each=3)"
    no_neutral: ClassVar[str | None] = (
        "a drop always loses an event; a place that is never reached is a miss, not a setting"
    )

    where: WhereSetting | None = None
    """Drops this event; token:5 when neither this nor ``each`` is given."""
    each: Annotated[int, Field(ge=1)] | None = None
    """Drops every Nth event, comments and pings counted."""
    offset: Annotated[int, Field(ge=0)] = 0
    """With ``each``: lets so many events pass before it begins to count."""
    never: Annotated[tuple[Literal["terminal", "usage", "finish"], ...], BeforeValidator(split_list)] = (
        "terminal",
        "usage",
        "finish",
    )
    """Kinds of events that are never dropped."""

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> SseDrop:
        if self.where is not None and self.each is not None:
            raise ValueError(f"where={self.where} and each={self.each} exclude each other")
        if self.offset and self.each is None:
            raise ValueError(f"offset={self.offset} belongs to each, which is not given")
        return self

    @property
    def edits_frames(self) -> bool:
        """Whole events have to be found."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have events."""
        return lacks_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        if self.each is not None:
            missed = f"the answer ended before an event to drop (one in {self.each})"
            return EachFrame(exchange, partial(self._drop_each, self.each, count(exchange.seen.events + 1)), missed)
        where = self.where or Where("token", 5)
        return AtPlace(where, exchange, partial(self._drop_at, where), after=keep, reframe=unmeasured)

    def _protected(self, frame: Frame) -> str | None:
        return next((name for name in self.never if frame.kind & _PROTECTED[name]), None)

    def _drop_at(self, where: Where, frame: Frame, before: int) -> Sequence[Outgoing]:
        del before
        if protected := self._protected(frame):
            return [Miss(frame.at, f"{where.words()} is never dropped (never={protected})"), frame]
        return [Hit(frame.at, f"dropped {where.words()} ({words(frame)})")]

    def _drop_each(self, each: int, numbers: Iterator[int], frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
        number = next(numbers)
        if number <= self.offset or (number - self.offset) % each or self._protected(frame):
            return None
        return (), f"dropped one event in {each}, first event {number} ({words(frame)})"


def words(frame: Frame) -> str:
    """What a frame is, without its text: "content, 31 bytes"."""
    return f"{' and '.join(Kind.words(frame.kind))}, {len(frame.data)} bytes"
