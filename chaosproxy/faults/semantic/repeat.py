"""llm.repeat: the model loops."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import TOKEN, Exchange, Frame, Hit, Miss, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtEvent, keep, lacks_stream, unmeasured
from chaosproxy.faults.where import Where, WhereSetting


class LlmRepeat(Fault):
    """Say the same token again and again, like a model in a loop; LiteLLM gives up at 100 equal chunks."""

    type: ClassVar[str] = "llm.repeat"
    room: ClassVar[Room] = Room.SEMANTIC
    symptom: ClassVar[str] = "the same word many times in the middle of the answer, which then goes on"
    timeline: ClassVar[str] = "upstream  h f1 f2 f3 end\nclient    h f1 f2 f2 f2 f2 f3 end    (where=token:2 times=3)"
    no_neutral: ClassVar[str | None] = "it always adds a token; a place that is never reached is a miss"

    where: WhereSetting = Where("token", 5)
    """The token that is repeated."""
    times: Annotated[int, Field(ge=1, le=100_000)] = 20
    """How often it comes again."""

    @property
    def edits_frames(self) -> bool:
        """Whole events have to be found."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have tokens."""
        return lacks_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""

        def repeat(frame: Frame, before: int) -> Sequence[Outgoing]:
            del before
            if not frame.kind & TOKEN:
                return [Miss(frame.at, f"{self.where.words()} is no token"), frame]
            return [Hit(frame.at, f"{self.where.words()} came {self.times} times more"), *[frame] * (self.times + 1)]

        return AtEvent(self.where, exchange, repeat, after=keep, reframe=unmeasured)
