"""llm.cross_stream: a stranger's words after the end."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import Exchange, Frame, Hit, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.semantic.ending import saying
from chaosproxy.faults.stages import AtEvent, keep, lacks_stream, unmeasured
from chaosproxy.faults.where import Where
from chaosproxy.wire.dialects import dialect

_STRANGER = ("The", " patient", " of", " bed", " twelve", " may", " go", " home", " today", ".")


class LlmCrossStream(Fault):
    """Send events of somebody else's answer after the terminal one, like a pool that mixes up two callers."""

    type: ClassVar[str] = "llm.cross_stream"
    room: ClassVar[Room] = Room.SEMANTIC
    symptom: ClassVar[str] = (
        "words of another answer at the end of this one; clients that read on after the end show them"
    )
    timeline: ClassVar[str] = "upstream  h f f f DONE end\nclient    h f f f DONE x x x end"
    no_neutral: ClassVar[str | None] = "it always adds events; an answer without a terminal event is a miss"

    events: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many."""

    @property
    def edits_frames(self) -> bool:
        """The terminal event has to be found."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have events."""
        return lacks_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        spoken = dialect(exchange.dialect)
        texts = [_STRANGER[number % len(_STRANGER)] for number in range(self.events)]

        def leak(frame: Frame, before: int) -> Sequence[Outgoing]:
            del before
            strange = [Frame(frame.at, data, spoken.read_event(data)) for data in saying(spoken, exchange, texts)]
            return [frame, Hit(frame.at, f"{len(strange)} events of a stranger after the terminal event"), *strange]

        return AtEvent(Where("after_terminal", 0), exchange, leak, after=keep, reframe=unmeasured)
