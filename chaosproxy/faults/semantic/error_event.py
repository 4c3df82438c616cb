"""llm.error_event: the provider's own error, after a 200."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from chaosproxy.events import End, Exchange, Frame, Hit, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtPlace, lacks_stream, unmeasured
from chaosproxy.faults.where import Where, WhereSetting
from chaosproxy.wire.dialects import dialect


class LlmErrorEvent(Fault):
    """Send the dialect's own error event in mid-stream, then end the body cleanly.

    No terminal event follows: after ``event: error`` Anthropic sends no message_stop, and OpenAI no ``[DONE]``. vLLM
    does send one, which changes nothing for clients that stop reading at the error.
    """

    type: ClassVar[str] = "llm.error_event"
    room: ClassVar[Room] = Room.SEMANTIC
    symptom: ClassVar[str] = (
        "an error after status 200, in mid-stream: the client raises an API error that carries no error status"
    )
    timeline: ClassVar[str] = "upstream  h f f f f f end\nclient    h f f error end"
    no_neutral: ClassVar[str | None] = "an error event always ends the answer; a place that is never reached is a miss"

    where: WhereSetting = Where("token", 5)
    """The error comes here, between two events: a place inside an event lets it pass first."""
    error_type: str | None = None
    """The provider's type, such as overloaded_error; None: what it usually sends (server_error, overloaded_error)."""

    @property
    def edits_frames(self) -> bool:
        """It stands between events."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have events."""
        return lacks_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        spoken = dialect(exchange.dialect)

        def fail(frame: Frame, before: int) -> Sequence[Outgoing]:
            data = spoken.error_event(self.error_type, None, frame=frame.data, follows=bool(before))
            error = Frame(frame.at, data, spoken.read_event(data))
            detail = f"error event ({self.error_type or 'the usual type'}) {self.where.place()}"
            return [*([frame] if before else []), Hit(frame.at, detail), error, End(frame.at)]

        return AtPlace(self.where, exchange, fail, reframe=unmeasured)
