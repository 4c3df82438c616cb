"""Which events of a stream a fault takes: one place, or every Nth; some kinds never."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from chaosproxy.events import Exchange, Frame, Hit, Kind, Miss, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtEvent, EachFrame, Reframe, keep, lacks_stream, unmeasured
from chaosproxy.faults.where import Where, WhereSetting
from chaosproxy.units import split_list

_PROTECTED = {"terminal": Kind.TERMINAL, "usage": Kind.USAGE, "finish": Kind.FINISH}


class ChosenEvents(Fault):
    """Do something to whole events that ``where`` or ``each`` choose."""

    room: ClassVar[Room] = Room.FRAMING
    done: ClassVar[str]
    """What was done to an event, in the past tense."""

    where: WhereSetting | None = None
    """Takes this event; token:5 when neither this nor ``each`` is given."""
    each: Annotated[int, Field(ge=1)] | None = None
    """Takes every Nth event, comments and pings counted."""
    offset: Annotated[int, Field(ge=0)] = 0
    """With ``each``: lets so many events pass before it begins to count."""
    never: Annotated[tuple[Literal["terminal", "usage", "finish"], ...], BeforeValidator(split_list)] = (
        "terminal",
        "usage",
        "finish",
    )
    """Kinds of events that are never taken."""

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Self:
        if self.where is not None and self.each is not None:
            raise ValueError(f"where={self.where} and each={self.each} exclude each other")
        if self.offset and self.each is None:
            raise ValueError(f"offset={self.offset} belongs to each, which is not given")
        return self

    @property
    def edits_frames(self) -> bool:
        """Whole events have to be found."""
        return True

    @property
    def place(self) -> Where:
        """The place that is meant when ``each`` is not given."""
        return self.where or Where("token", 5)

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have events."""
        return lacks_stream(exchange)

    def protected(self, frame: Frame) -> str | None:
        """The name in ``never`` that keeps this frame from being taken."""
        return next((name for name in self.never if frame.kind & _PROTECTED[name]), None)

    def numbered(self, number: int) -> bool:
        """Whether ``each`` takes the event with this number, counted from 1."""
        return self.each is not None and number > self.offset and (number - self.offset) % self.each == 0


class ReplacedEvents(ChosenEvents):
    """Let ``becomes`` change the chosen events, each at its own time."""

    def becomes(self, frame: Frame) -> tuple[Frame, ...]:
        """What a chosen event becomes."""
        raise NotImplementedError

    @property
    def reframe(self) -> Reframe:
        """The head for a body of another length."""
        return unmeasured

    def stage(self, dice: object, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        if self.each is not None:
            numbers = count(exchange.seen.events + 1)
            missed = f"the answer ended before an event was {self.done} (one in {self.each})"
            return EachFrame(exchange, lambda frame: self._edit(numbers, frame), missed)
        return AtEvent(self.place, exchange, self._act, after=keep, reframe=self.reframe)

    def _act(self, frame: Frame, before: int) -> Sequence[Outgoing]:
        del before
        if protected := self.protected(frame):
            return [Miss(frame.at, f"{self.place.words()} is never {self.done} (never={protected})"), frame]
        return [Hit(frame.at, f"{self.done} {self.place.words()} ({words(frame)})"), *self.becomes(frame)]

    def _edit(self, numbers: Iterator[int], frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
        number = next(numbers)
        if not self.numbered(number) or self.protected(frame):
            return None
        return self.becomes(frame), f"{self.done} one event in {self.each}, first event {number} ({words(frame)})"


def words(frame: Frame) -> str:
    """What a frame is, without its text: "content, 31 bytes"."""
    return f"{' and '.join(Kind.words(frame.kind))}, {len(frame.data)} bytes"
