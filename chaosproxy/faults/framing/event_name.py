"""sse.event_name: the ``event:`` lines are gone, or say something else."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import Exchange, Frame
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import EachFrame, lacks_event_stream
from chaosproxy.wire.dialects import dialect

_NAMED = ("openai.responses", "anthropic.messages")
"""Dialects whose events have names."""
_NAME_LINE = re.compile(rb"(?:(?<=[\r\n])|\A)event:[^\r\n]*(\r\n|\r|\n)")


class SseEventName(Fault):
    """Strip or rename the ``event:`` line of every event, like a relay that only keeps data lines."""

    type: ClassVar[str] = "sse.event_name"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "an empty answer without an error: Anthropic's client drops events without a known name"
    timeline: ClassVar[str] = "upstream  h e:f e:f e:f end\nclient    h f f f end"
    no_neutral: ClassVar[str | None] = "an answer without names is a miss, not a setting"

    mode: Literal["strip", "rename"] = "strip"
    """strip: the line is left out; rename: every event is called ``message``, which is what no name means."""

    @property
    def edits_frames(self) -> bool:
        """Whole events have to be found."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only some dialects name their events."""
        named = exchange.dialect in _NAMED
        return lacks_event_stream(exchange) or (None if named else f"the events of {exchange.dialect} have no names")

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        read = dialect(exchange.dialect).read_event
        name = rb"event: message\1" if self.mode == "rename" else b""
        words = "its name was stripped" if self.mode == "strip" else "it was renamed to message"

        def edit(frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
            data = _NAME_LINE.sub(name, frame.data)
            if data == frame.data:
                return None
            return (replace(frame, data=data, meaning=read(data)),), f"{words}, and so for every event"

        return EachFrame(exchange, edit, "no event of the answer had a name")
