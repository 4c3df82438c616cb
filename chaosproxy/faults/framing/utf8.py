"""sse.utf8: characters that are torn apart, broken or unexpected."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import Exchange, Frame, Hit, Kind, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.framing.apart import InOrder, apart
from chaosproxy.faults.stages import AtEvent, EachFrame, keep, lacks_stream, unmeasured
from chaosproxy.faults.where import Where
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.editing import text_span

_BOM = b"\xef\xbb\xbf"
_INVALID = b"\xff"


class SseUtf8(Fault):
    """Tear the bytes of characters apart, put an invalid byte into the text, or begin with a byte order mark."""

    type: ClassVar[str] = "sse.utf8"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = (
        "U+FFFD inside the answer or a UnicodeDecodeError; with split nothing, unless a client decodes piece by piece"
    )
    timeline: ClassVar[str] = "upstream  h f f(é) f end\nclient    h f f(Ã|©) f end    (split)"
    no_neutral: ClassVar[str | None] = "an answer without such characters is a miss, not a setting"

    mode: Literal["split", "invalid", "bom"] = "split"
    """split: the bytes of every character of several bytes come in two writes, 2 ms apart; invalid: one byte FF in
    the text of the first token; bom: a byte order mark before the first event."""

    @property
    def edits_frames(self) -> bool:
        """Text has to be found."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have events."""
        return lacks_stream(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        if self.mode == "split":
            return InOrder(EachFrame(exchange, _torn, "the answer had no character of several bytes"))
        read = dialect(exchange.dialect).read_event
        if self.mode == "bom":

            def begin(frame: Frame, before: int) -> list[Outgoing]:
                data = _BOM + frame.data
                del before
                hit = Hit(frame.at, "a byte order mark before the first event")
                return [hit, replace(frame, data=data, meaning=read(data))]

            return AtEvent(Where("event", 0), exchange, begin, after=keep, reframe=unmeasured)
        spent: list[bool] = []

        def spoil(frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
            span = text_span(frame.data, frame.meaning.text) if frame.kind & Kind.CONTENT and not spent else None
            if span is None:
                return None
            spent.append(True)
            data = frame.data[: span[1]] + _INVALID + frame.data[span[1] :]
            return (replace(frame, data=data, meaning=read(data)),), "an invalid byte (FF) in the text of one event"

        return EachFrame(exchange, spoil, "the answer had no text to spoil")


def _torn(frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
    """The event in two writes, the first of which ends inside its first character of several bytes."""
    begin = next((index for index, byte in enumerate(frame.data) if byte >= 0xC0), None)
    if begin is None:
        return None
    return apart(frame, begin + 1), "a character came in two writes, and so for every event that has one"
