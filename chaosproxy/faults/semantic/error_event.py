"""llm.error_event and llm.foreign_error_event: an error after a 200."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import End, Exchange, Frame, Hit, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtEvent, lacks_stream, unmeasured
from chaosproxy.faults.where import Where, WhereSetting
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.base import Dialect, is_sse
from chaosproxy.wire.dialects.editing import payload_span, with_payload
from chaosproxy.wire.foreign_json import dump
from chaosproxy.wire.sse import write_event

_MESSAGE = "The engine is currently overloaded, please try again later"
_SHAPES: dict[str, dict[str, object]] = {
    "openai": {"error": {"message": _MESSAGE, "type": "server_error", "param": None, "code": None}},
    "string": {"error": _MESSAGE},
    "object_error": {
        "object": "error",
        "message": _MESSAGE,
        "type": "InternalServerError",
        "param": None,
        "code": 500,
    },
    "response_failed": {
        "type": "response.failed",
        "sequence_number": 0,
        "response": {
            "id": "resp_failed",
            "object": "response",
            "status": "failed",
            "error": {"code": "server_error", "message": _MESSAGE},
            "output": [],
        },
    },
}


class _EndsInError(Fault):
    """Send an error event in mid-stream, then end the body cleanly."""

    room: ClassVar[Room] = Room.SEMANTIC
    no_neutral: ClassVar[str | None] = "an error event always ends the answer; a place that is never reached is a miss"

    where: WhereSetting = Where("token", 5)
    """The error comes here, between two events: a place inside an event lets it pass first."""

    @property
    def edits_frames(self) -> bool:
        """It stands between events."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have events."""
        return lacks_stream(exchange)

    def event(self, spoken: Dialect, frame: Frame, *, follows: bool) -> tuple[bytes, str]:
        """The event and its name for the journal; it follows ``frame``, or takes its place."""
        raise NotImplementedError

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        spoken = dialect(exchange.dialect)

        def fail(frame: Frame, before: int) -> Sequence[Outgoing]:
            data, name = self.event(spoken, frame, follows=bool(before))
            error = Frame(frame.at, data, spoken.read_event(data))
            said = Hit(frame.at, f"error event ({name}) {self.where.place()}")
            return [*([frame] if before else []), said, error, End(frame.at)]

        return AtEvent(self.where, exchange, fail, reframe=unmeasured)


class LlmErrorEvent(_EndsInError):
    """Send the dialect's own error event in mid-stream, then end the body cleanly.

    No terminal event follows: after ``event: error`` Anthropic sends no message_stop, and OpenAI no ``[DONE]``. vLLM
    does send one, which changes nothing for clients that stop reading at the error.
    """

    type: ClassVar[str] = "llm.error_event"
    symptom: ClassVar[str] = (
        "an error after status 200, in mid-stream: the client raises an API error that carries no error status"
    )
    timeline: ClassVar[str] = "upstream  h f f f f f end\nclient    h f f error end"

    error_type: str | None = None
    """The provider's type, such as overloaded_error; None: what it usually sends (server_error, overloaded_error)."""

    def event(self, spoken: Dialect, frame: Frame, *, follows: bool) -> tuple[bytes, str]:
        """In the dialect's words."""
        native = spoken.error_event(self.error_type, None, frame=frame.data, follows=follows)
        return native, self.error_type or "the usual type"


class LlmForeignErrorEvent(_EndsInError):
    """Send an error in somebody else's shape in mid-stream, then end the body cleanly.

    What a client does not know it skips: Anthropic's takes OpenAI's error for nothing, and OpenAI's vLLM's old one
    (ggml-org/llama.cpp#14566, fox1245/NeoGraph#124).
    """

    type: ClassVar[str] = "llm.foreign_error_event"
    symptom: ClassVar[str] = (
        "the answer stops in the middle without an error: the client does not know the one that came"
    )
    timeline: ClassVar[str] = "upstream  h f f f f f end\nclient    h f f {object:error} end"

    shape: Literal["openai", "string", "object_error", "response_failed"] = "object_error"
    """openai: ``{"error": {...}}``; string: ``{"error": "..."}``; object_error: ``{"object": "error", ...}``, as old
    vLLM and Mistral; response_failed: the event of OpenAI's Responses."""

    def event(self, spoken: Dialect, frame: Frame, *, follows: bool) -> tuple[bytes, str]:
        """In the envelope of the stream, without a name where the shape has none."""
        native, payload = spoken.error_event(None, None, frame=frame.data, follows=follows), dump(_SHAPES[self.shape])
        if is_sse(spoken):
            return write_event(payload, "response.failed" if self.shape == "response_failed" else None), self.shape
        span = payload_span(spoken, native) or (0, 0)
        return with_payload(native, span, payload.encode()), self.shape
