"""llm.tool_args_cut: the arguments of a tool call end in the middle of their JSON."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from chaosproxy.events import TOKEN, Exchange, Frame, Kind
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.semantic.native import EitherWay, PlainBody, lacks_dialect
from chaosproxy.faults.stages import EachFrame
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.editing import escaped, text_span, with_payload
from chaosproxy.wire.foreign_json import dump, parse
from chaosproxy.wire.members import ARGUMENTS, replace_members

_AS_TEXT = ("openai.chat", "openai.responses", "anthropic.messages")
"""Dialects that send arguments as text, of which a beginning can be sent; Anthropic only in streams."""
_MISSED = "the answer had no tool arguments that are longer"


class LlmToolArgsCut(Fault):
    """Cut the arguments of a tool call; with its finish reason kept the call looks complete (vllm-project/vllm#53269).

    Where arguments are an object and no text (Gemini, Ollama, Anthropic's plain answers), there is nothing to cut.
    """

    type: ClassVar[str] = "llm.tool_args_cut"
    room: ClassVar[Room] = Room.SEMANTIC
    symptom: ClassVar[str] = (
        "a tool call whose arguments are no JSON, or a shorter one; the finish reason says all is well"
    )
    timeline: ClassVar[str] = 'upstream  h {"city" :"Pa ris"} finish end\nclient    h {"city"            finish end'
    no_neutral: ClassVar[str | None] = "arguments that are shorter are a miss, not a setting"

    byte: Annotated[int, Field(ge=0)] = 5
    """How many bytes of the arguments still come."""
    finish: Literal["kept", "absent"] = "kept"
    """Whether the finish reason stays or becomes null."""

    @property
    def edits_frames(self) -> bool:
        """Words have to be read."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Words have to be understood, and arguments to be text."""
        if exchange.dialect == "ollama.generate":
            return "ollama.generate has no tools"
        plain = exchange.dialect == "anthropic.messages" and exchange.stream is False
        if exchange.dialect in _AS_TEXT and not plain:
            return None
        words = f"plain answers of {exchange.dialect}" if plain else f"answers of {exchange.dialect}"
        return lacks_dialect(exchange) or f"{words} have a tool's arguments as an object, of which there is no half"

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        spoken = dialect(exchange.dialect)
        done = f"tool arguments cut after {self.byte} bytes"
        streamed = EachFrame(exchange, Cutter(self, spoken, done), _MISSED)
        return EitherWay(exchange, streamed, PlainBody(partial(self._rewrite, spoken), done, _MISSED))

    def _rewrite(self, spoken: Dialect, body: bytes) -> bytes | None:
        payload = parse(body)
        if not isinstance(payload, dict) or not replace_members(payload, ARGUMENTS, self._shortened):
            return None
        cut = dump(payload).encode()
        return without_reason(spoken, cut) if self.finish == "absent" else cut

    def _shortened(self, arguments: Any) -> Any:
        return cut_text(arguments, self.byte) if isinstance(arguments, str) else arguments


class Cutter:
    """Lets the first bytes of the arguments pass."""

    def __init__(self, fault: LlmToolArgsCut, spoken: Dialect, done: str) -> None:
        self._fault = fault
        self._spoken = spoken
        self._done = done
        self._whole = ""
        self._cut = False

    def __call__(self, frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
        if frame.kind & TOKEN == Kind.TOOL:
            return self._delta(frame)
        if not self._cut:
            return None
        data = frame.data
        while (span := text_span(data, self._whole)) is not None:  # an event that repeats all of them
            data = with_payload(data, span, escaped(cut_text(self._whole, self._fault.byte)))
        if self._fault.finish == "absent" and frame.kind & Kind.FINISH:
            data = without_reason(self._spoken, data)
        return None if data == frame.data else ((self._reread(frame, data),), self._done)

    def _delta(self, frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
        text = frame.meaning.text
        left = self._fault.byte - len(self._whole.encode("utf-8", "replace"))
        self._whole += text
        kept = cut_text(text, max(0, left))
        if kept == text:
            return None
        span = text_span(frame.data, text)
        if span is None:  # an object, which is not there in parts
            return None
        self._cut = True
        if not kept:
            return (), self._done
        return (self._reread(frame, with_payload(frame.data, span, escaped(kept))),), self._done

    def _reread(self, frame: Frame, data: bytes) -> Frame:
        return replace(frame, data=data, meaning=self._spoken.read_event(data))


def cut_text(text: str, count: int) -> str:
    """At most the first ``count`` bytes of the text, whole characters only."""
    return text.encode("utf-8", "replace")[:count].decode("utf-8", "ignore")


def without_reason(spoken: Dialect, data: bytes) -> bytes:
    """The same with null for a finish reason."""
    return spoken.finish_reason.sub(rb"\1null", data)
