"""llm.empty and llm.wrong_answer: another text in the place of the model's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import ClassVar

from chaosproxy.events import TOKEN, Exchange, Frame, Kind
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.semantic.native import EitherWay, PlainBody, lacks_dialect
from chaosproxy.faults.stages import EachFrame
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.editing import escaped, text_span, with_payload

_WRONG = "The capital of France is Lyon, which has been so since 1789."


class _Retold(Fault):
    """Put another text in the place of the model's."""

    room: ClassVar[Room] = Room.SEMANTIC
    replaced: ClassVar[int]
    """The kinds of deltas whose text goes away."""
    done: ClassVar[str]
    missed: ClassVar[str]

    @property
    def edits_frames(self) -> bool:
        """Words have to be read."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Words have to be understood."""
        return lacks_dialect(exchange)

    def words(self) -> str:
        """The text that is told instead."""
        raise NotImplementedError

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        spoken = dialect(exchange.dialect)
        streamed = EachFrame(exchange, Teller(spoken, self.words(), self.replaced), self.missed)
        return EitherWay(exchange, streamed, PlainBody(self._rewrite(spoken, exchange), self.done, self.missed))

    def _rewrite(self, spoken: Dialect, exchange: Exchange) -> Callable[[bytes], bytes | None]:
        def rewrite(body: bytes) -> bytes | None:
            said = spoken.read_answer(body)
            if not said.kind & self.replaced or said.kind & Kind.ERROR:
                return None
            retold = Answer(
                id="retold",
                model=exchange.model or "unknown",
                created=1_700_000_000,
                text_pieces=(self.words(),) if self.words() else (),
                prompt_tokens=said.prompt_tokens or 0,
                output_tokens=said.output_tokens or 0,
            )
            return spoken.plain_body(retold)

        return rewrite


class Teller:
    """Tells ``words`` in the first delta, empties the others, and corrects events that repeat the whole text."""

    def __init__(self, spoken: Dialect, words: str, replaced: int) -> None:
        self._read = spoken.read_event
        self._words = words
        self._replaced = replaced
        self._left = words
        self._told = ""

    def __call__(self, frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
        if frame.kind & self._replaced:
            return self._delta(frame)
        data = frame.data
        while self._told and (span := text_span(data, self._told)) is not None:
            data = with_payload(data, span, escaped(self._words))
        return None if data == frame.data else ((self._reread(frame, data),), "its whole text")

    def _delta(self, frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
        text = frame.meaning.text
        self._told += text
        left, self._left = self._left, ""
        span = text_span(frame.data, text)
        if left and span is None:
            self._left = left
        if span is None or (not left and not frame.kind & ~TOKEN):
            return (), "its words were taken out"
        return (self._reread(frame, with_payload(frame.data, span, escaped(left))),), "its words became others"

    def _reread(self, frame: Frame, data: bytes) -> Frame:
        return replace(frame, data=data, meaning=self._read(data))


class LlmEmpty(_Retold):
    """Give a valid answer that says nothing: every delta is missing, beginning and end are there."""

    type: ClassVar[str] = "llm.empty"
    replaced: ClassVar[int] = TOKEN
    done: ClassVar[str] = "its words were taken out"
    missed: ClassVar[str] = "the answer said nothing anyway"
    symptom: ClassVar[str] = "an empty answer that ends normally; no client raises an error"
    timeline: ClassVar[str] = "upstream  h role f f f finish DONE end\nclient    h role       finish DONE end"
    no_neutral: ClassVar[str | None] = "an answer that says nothing already is a miss, not a setting"

    def words(self) -> str:
        """None."""
        return ""


class LlmWrongAnswer(_Retold):
    """Tell a fluent, wrong text with status 200; whoever only looks at status and shape takes it for the answer."""

    type: ClassVar[str] = "llm.wrong_answer"
    replaced: ClassVar[int] = Kind.CONTENT
    done: ClassVar[str] = "its words became others"
    missed: ClassVar[str] = "the answer had no text"
    symptom: ClassVar[str] = "a fluent answer to another question, or a wrong one; no error anywhere"
    timeline: ClassVar[str] = "upstream  h role f f f finish DONE end\nclient    h role wrong finish DONE end"
    no_neutral: ClassVar[str | None] = "the text is always another one"

    text: str = _WRONG
    """What is told."""

    def words(self) -> str:
        """The setting."""
        return self.text
