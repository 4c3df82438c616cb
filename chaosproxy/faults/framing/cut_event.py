"""stream.cut_event: a clean end inside an event."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from chaosproxy.events import End, Exchange, Frame, Hit, Miss, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtEvent, lacks_stream, split_frame, unmeasured
from chaosproxy.faults.where import Where, WhereSetting


class StreamCutEvent(Fault):
    """End the body cleanly inside an event, like a relay that forwards bytes and hides its upstream's cut."""

    type: ClassVar[str] = "stream.cut_event"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = (
        "the answer stops in the middle of an event; the body ends as if complete, and most clients drop the half"
    )
    timeline: ClassVar[str] = "upstream  h f f f f f f end\nclient    h f f / end"
    no_neutral: ClassVar[str | None] = (
        "a cut always ends the body; a place that is never reached is a miss, not a setting"
    )

    where: WhereSetting = Where("token", 5)
    """The event that is cut; with ``byte:N`` or ``percent:P`` the very byte at which it is."""
    byte: Annotated[int, Field(ge=1)] | None = None
    """How many bytes of the event still arrive; None: half of them."""

    @model_validator(mode="after")
    def _one_byte(self) -> Self:
        if self.byte is not None and not self.where.needs_frames:
            raise ValueError(
                f"byte={self.byte} counts in an event, and where={self.where} in the whole body: give one of them"
            )
        if not (self.where.count or self.where.needs_frames):
            raise ValueError(f"where={self.where} lies before the first event, and inside of none")
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
        return AtEvent(self.where, exchange, self._cut, reframe=unmeasured)

    def _cut(self, frame: Frame, before: int) -> Sequence[Outgoing]:
        if not self.where.needs_frames:
            return self._cut_here(frame, before)
        kept = len(frame.data) // 2 if self.byte is None else self.byte
        if not 0 < kept < len(frame.data):
            return [Miss(frame.at, f"{self.where.words()} has only {len(frame.data)} bytes"), frame]
        return self._ended(frame, kept, f"after {kept} bytes of {self.where.words()}")

    def _cut_here(self, frame: Frame, before: int) -> Sequence[Outgoing]:
        if before == 0:
            return [Miss(frame.at, f"an event begins {self.where.place()}, so no event is cut there"), frame]
        return self._ended(frame, before, self.where.place())

    def _ended(self, frame: Frame, kept: int, place: str) -> Sequence[Outgoing]:
        first, _ = split_frame(frame, kept)
        return [*first, Hit(frame.at, f"cut {place}"), End(frame.at)]
