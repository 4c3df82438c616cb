"""llm.dialect_swap: the same words in another provider's stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import ClassVar

from chaosproxy.events import Abort, End, Exchange, Frame, Framing, Head, Heal, Hit, Incoming, Kind, Miss, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.foreign import ForeignDialect, foreign, lacks_foreign
from chaosproxy.faults.semantic.ending import saying
from chaosproxy.faults.stages import lacks_stream, passing, unstreamed
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.base import Dialect


class LlmDialectSwap(Fault):
    """Answer in another provider's stream, like a gateway that forgot to translate; the words are the same.

    Tool calls are not translated.
    """

    type: ClassVar[str] = "llm.dialect_swap"
    room: ClassVar[Room] = Room.SEMANTIC
    symptom: ClassVar[str] = "an empty answer without an error: the client knows none of the events"
    timeline: ClassVar[str] = "upstream  h f f f DONE end\nclient    h g g g g g g end"
    no_neutral: ClassVar[str | None] = "another dialect is never the same one"

    dialect: ForeignDialect = None
    """Whose stream; None: Anthropic's, and for Anthropic's clients OpenAI's."""

    @property
    def edits_frames(self) -> bool:
        """Words have to be read."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams are translated, and into another dialect."""
        return lacks_foreign(self.dialect, exchange) or lacks_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Translated(foreign(self.dialect, exchange), exchange)


class Translated:
    """Speaks another dialect from the head on: its beginning, each text as it comes, its end."""

    def __init__(self, other: Dialect, exchange: Exchange) -> None:
        self._other = other
        self._exchange = exchange
        self._read = dialect(exchange.dialect).read_event
        self._told: list[str] = []
        self._acts = False
        self._missed = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._missed:
            return passing(event)
        if self._acts:
            return self._translate(event)
        seen = self._exchange.seen
        miss = unstreamed(seen, event)
        if miss is None and (seen.head is not None or isinstance(event, End | Abort | Heal)):
            miss = Miss(event.at, "the answer had already begun" if seen.head else "there was no answer")
        if miss is not None:
            self._missed = True
            return [miss, *passing(event)]
        return self._begin(event) if isinstance(event, Head) else passing(event)

    def _begin(self, head: Head) -> Sequence[Outgoing]:
        self._acts = True
        kept = tuple(pair for pair in head.headers if pair[0].lower() not in ("content-type", "content-length"))
        headers = (*kept, ("content-type", self._other.stream_type))
        framing = Framing.CHUNKED if head.framing is Framing.LENGTH else head.framing
        said = Hit(head.at, f"answered in {self._other.name}")
        return [said, replace(head, headers=headers, framing=framing), *self._frames(head.at, self._around()[0])]

    def _translate(self, event: Incoming) -> Sequence[Outgoing]:
        match event:
            case Frame(at, _, meaning) if meaning.kind & Kind.CONTENT:
                self._told.append(meaning.text)
                return self._frames(at, saying(self._other, self._exchange, [meaning.text]))
            case Frame():
                return ()
            case End(at):
                return [*self._frames(at, self._around()[1]), event]
        return passing(event)

    def _around(self) -> tuple[list[bytes], list[bytes]]:
        """What the other dialect says before the first text and after the last one."""
        texts = tuple(self._told) or (" ",)
        frames = self._other.stream_frames(Answer("translated", self._exchange.model or "unknown", 0, texts))
        places = [index for index, frame in enumerate(frames) if self._other.read_event(frame).kind & Kind.CONTENT]
        return frames[: places[0]], frames[places[-1] + 1 :]

    def _frames(self, at: float, frames: list[bytes]) -> list[Outgoing]:
        return [Frame(at, data, self._read(data)) for data in frames]
