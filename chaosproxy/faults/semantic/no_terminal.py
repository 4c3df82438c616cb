"""llm.no_terminal: the text is whole, the marks of its end are missing."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import TOKEN, Exchange, Frame, Kind
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import EachFrame, lacks_stream
from chaosproxy.wire.dialects import dialect


class LlmNoTerminal(Fault):
    """Leave out the terminal event, the finish reason, or both; the body ends cleanly.

    An end that comes with the last words, as Gemini's may, loses its reason instead: the words are kept.
    """

    type: ClassVar[str] = "llm.no_terminal"
    room: ClassVar[Room] = Room.SEMANTIC
    symptom: ClassVar[str] = (
        "the text is whole, but [DONE], message_stop or the finish reason is missing; clients take it as complete"
    )
    timeline: ClassVar[str] = "upstream  h f f f finish DONE end\nclient    h f f f finish      end"
    no_neutral: ClassVar[str | None] = "each choice takes a mark away; an answer without it is a miss, not a setting"

    which: Literal["done", "finish", "both", "stop_event"] = "done"
    """done: the terminal event ([DONE], message_stop); finish: the finish or stop reason becomes null; both: the two;
    stop_event: Anthropic's message_stop, and nothing in other dialects."""

    @property
    def edits_frames(self) -> bool:
        """Whole events have to be found."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have events, and only Anthropic's have a stop event."""
        if self.which == "stop_event" and exchange.dialect not in ("raw", "anthropic.messages"):
            return f"{exchange.dialect} has no stop event (which=done leaves out its terminal event)"
        return lacks_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        spoken = dialect(exchange.dialect)

        def edit(frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
            ends = frame.kind & Kind.TERMINAL and self.which != "finish"
            if ends and not frame.kind & TOKEN:
                return (), "the terminal event was left out"
            if frame.kind & Kind.FINISH and (ends or self.which in ("finish", "both")):
                data = spoken.finish_reason.sub(rb"\1null", frame.data)
                return (replace(frame, data=data, meaning=spoken.read_event(data)),), self._finish_words()
            return None

        return EachFrame(exchange, edit, "the answer had no such mark of its end")

    def _finish_words(self) -> str:
        return "the finish reason was left out" + (", and the terminal event" if self.which == "both" else "")
