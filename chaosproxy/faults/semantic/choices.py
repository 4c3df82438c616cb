"""llm.choices: a chunk without choices."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar, Literal

from chaosproxy.events import Exchange, Frame, Hit, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.semantic.ending import saying
from chaosproxy.faults.stages import AtEvent, keep, lacks_stream, unmeasured
from chaosproxy.faults.where import Where, WhereSetting
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.editing import edited


class LlmChoices(Fault):
    """Send a chunk with ``choices: []``, as Azure does before the answer, or with null; careless clients fail at it."""

    type: ClassVar[str] = "llm.choices"
    room: ClassVar[Room] = Room.SEMANTIC
    symptom: ClassVar[str] = "an index error or a type error of the application at a chunk that has no choice"
    timeline: ClassVar[str] = "upstream  h f f f DONE end\nclient    h [] f f f DONE end"
    no_neutral: ClassVar[str | None] = "it always adds a chunk; a place that is never reached is a miss"

    where: WhereSetting = Where("event", 0)
    """The chunk comes here, between two events: a place inside an event lets it pass first."""
    value: Literal["empty", "json_null"] = "empty"
    """empty: ``[]``; json_null: ``null``."""

    @property
    def edits_frames(self) -> bool:
        """It stands between events."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only OpenAI's chunks have choices."""
        if exchange.dialect not in ("raw", "openai.chat"):
            return f"{exchange.dialect} has no choices"
        return lacks_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        spoken = dialect(exchange.dialect)

        def empty(chunk: dict[str, Any]) -> bool:
            chunk["choices"] = [] if self.value == "empty" else None
            return True

        def insert(frame: Frame, before: int) -> Sequence[Outgoing]:
            ours = saying(spoken, exchange, ["nothing"])[0]  # where there is no chunk to make it from
            data = edited(spoken, frame.data, empty) or edited(spoken, ours, empty) or ours
            said = Hit(frame.at, f"a chunk without choices {self.where.place()}")
            added: list[Outgoing] = [said, Frame(frame.at, data, spoken.read_event(data))]
            return [frame, *added] if before else [*added, frame]

        return AtEvent(self.where, exchange, insert, after=keep, reframe=unmeasured)
