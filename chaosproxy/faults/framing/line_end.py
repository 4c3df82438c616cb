"""sse.line_end: other line ends than LF."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import Exchange, Frame
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.framing.apart import InOrder, apart
from chaosproxy.faults.stages import EachFrame, lacks_stream

_LINE_END = re.compile(rb"\r\n|\r|\n")
_TO = {"lf": b"\n", "cr": b"\r", "crlf": b"\r\n", "split": b"\r\n"}


class SseLineEnd(Fault):
    """End the lines of a stream with CR, CRLF or LF, all of which are right (WHATWG HTML, 9.2.6)."""

    type: ClassVar[str] = "sse.line_end"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "nothing, unless a client knows only LF: then an empty answer"
    timeline: ClassVar[str] = "upstream  h f. f. f. end\nclient    h f.. f.. f.. end"
    no_neutral: ClassVar[str | None] = "an answer with these line ends is a miss, not a setting"

    to: Literal["lf", "cr", "crlf", "split"] = "crlf"
    """lf, cr, crlf: what each line ends with; split: CRLF, of which the last LF of each event comes in a write of its
    own, 2 ms later."""

    @property
    def edits_frames(self) -> bool:
        """Whole events have to be found."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have lines."""
        return lacks_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        changed = EachFrame(exchange, self._edit, f"the lines of the answer ended with {self.to} already")
        return InOrder(changed) if self.to == "split" else changed

    def _edit(self, frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
        data = _LINE_END.sub(_TO[self.to], frame.data)
        if data == frame.data and self.to != "split":
            return None
        changed = replace(frame, data=data)
        if self.to == "split" and data.endswith(b"\r\n"):
            return apart(changed, len(data) - 1), "each event ended with CRLF in two writes"
        return (changed,), f"every line ended with {self.to}"
