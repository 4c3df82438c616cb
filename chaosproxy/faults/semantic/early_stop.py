"""llm.early_stop and llm.refusal: the answer stops early, with a valid end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import End, Exchange, Frame, Hit, Incoming, Kind, Miss, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.semantic.ending import closing, saying
from chaosproxy.faults.stages import AtEvent, lacks_stream, unmeasured
from chaosproxy.faults.where import Where, WhereSetting
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Finish
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.editing import edited

_SORRY = "I'm sorry, but I can't help with that."


class _StopsEarly(Fault):
    """End the answer at one place as the model itself would."""

    room: ClassVar[Room] = Room.SEMANTIC
    no_neutral: ClassVar[str | None] = "it always ends the answer; a place that is never reached is a miss"

    where: WhereSetting = Where("token", 5)
    """The model stops here, between two events: a place inside an event lets it pass first."""

    @property
    def edits_frames(self) -> bool:
        """Words have to be read."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have events."""
        return lacks_stream(exchange)

    def ending(self, spoken: Dialect, exchange: Exchange, told: Sequence[str], like: Frame) -> tuple[list[bytes], str]:
        """The frames that come last, and what was done; ``told`` are the texts before them."""
        raise NotImplementedError

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Stopping(self, exchange)


class Stopping:
    """Remembers what was told, and ends it at the place."""

    def __init__(self, fault: _StopsEarly, exchange: Exchange) -> None:
        self._told: list[str] = []
        self._at_place = AtEvent(fault.where, exchange, partial(_stop, fault, exchange, self._told), reframe=unmeasured)

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        return self._at_place.feed(event) if not isinstance(event, Frame) else self._feed_frame(event)

    def _feed_frame(self, frame: Frame) -> Sequence[Outgoing]:
        emitted = self._at_place.feed(frame)
        if frame.kind & Kind.CONTENT:
            self._told.append(frame.meaning.text)
        return emitted


def _stop(fault: _StopsEarly, exchange: Exchange, told: Sequence[str], frame: Frame, before: int) -> Sequence[Outgoing]:
    if frame.kind & (Kind.TERMINAL | Kind.FINISH):
        return [Miss(frame.at, "the answer was at its end already"), frame]
    spoken = dialect(exchange.dialect)
    if before and frame.kind & Kind.CONTENT:
        told = [*told, frame.meaning.text]
    frames, words = fault.ending(spoken, exchange, told, frame)
    last = [Frame(frame.at, data, spoken.read_event(data)) for data in frames]
    said = Hit(frame.at, f"{words} {fault.where.place()}")
    return [*([frame] if before else []), said, *last, End(frame.at)]


class LlmEarlyStop(_StopsEarly):
    """Stop early with a valid end, like a model that thinks it is done, or a limit that nobody set."""

    type: ClassVar[str] = "llm.early_stop"
    symptom: ClassVar[str] = (
        "the answer stops in the middle with a valid end (stop or length); no client raises an error"
    )
    timeline: ClassVar[str] = "upstream  h f f f f finish DONE end\nclient    h f f finish(length) DONE end"

    finish: Literal["stop", "length"] = "length"
    """The reason that it gives, in the dialect's word."""

    def ending(self, spoken: Dialect, exchange: Exchange, told: Sequence[str], like: Frame) -> tuple[list[bytes], str]:
        """The usual end."""
        return closing(spoken, exchange, told, Finish(self.finish), like), f"stopped ({self.finish})"


class LlmRefusal(_StopsEarly):
    """Stop in mid-answer because of what it says: a filter cuts in, or the model refuses to go on."""

    type: ClassVar[str] = "llm.refusal"
    symptom: ClassVar[str] = "the answer stops in the middle with a content filter or a refusal as its reason"
    timeline: ClassVar[str] = "upstream  h f f f f finish DONE end\nclient    h f f finish(content_filter) DONE end"

    kind: Literal["content_filter", "refusal"] = "content_filter"
    """content_filter: the text ends with the dialect's word for it; refusal: an apology follows, in OpenAI chat as a
    ``refusal`` with the reason stop."""

    def ending(self, spoken: Dialect, exchange: Exchange, told: Sequence[str], like: Frame) -> tuple[list[bytes], str]:
        """The apology, if any, and the end."""
        if self.kind == "content_filter":
            return closing(spoken, exchange, told, Finish.FILTER, like), "filtered"
        sorry = saying(spoken, exchange, [_SORRY])
        if spoken.name == "openai.chat":
            refused = [edited(spoken, frame, _as_refusal) or frame for frame in sorry]
            return [*refused, *closing(spoken, exchange, told, Finish.STOP, like)], "refused"
        return [*sorry, *closing(spoken, exchange, [*told, _SORRY], Finish.FILTER, like)], "refused"


def _as_refusal(chunk: dict[str, object]) -> bool:
    for choice in chunk["choices"]:  # type: ignore[attr-defined]
        choice["delta"] = {"refusal": choice["delta"]["content"]}
    return True
