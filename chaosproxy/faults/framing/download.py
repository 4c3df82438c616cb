"""body.truncate, body.corrupt and body.ignore_range: what can happen to a file on its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from chaosproxy.events import (
    Abort,
    Ask,
    Cut,
    End,
    Exchange,
    Frame,
    Heal,
    Hit,
    Incoming,
    Kind,
    Miss,
    Outgoing,
    Tick,
    header,
)
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtPlace, passing, split_frame
from chaosproxy.faults.where import Where
from chaosproxy.wire.dialects import dialect


class BodyTruncate(Fault):
    """Close the connection in the middle of a download; its Content-Length stays as it was."""

    type: ClassVar[str] = "body.truncate"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "a download stops before its announced length; careless clients keep the half file"
    timeline: ClassVar[str] = "upstream  h(8) bbbbbbbb end\nclient    h(8) bbbb FIN"
    no_neutral: ClassVar[str | None] = "a close always breaks the body; a shorter body is a miss, not a setting"

    after_bytes: Annotated[int, Field(ge=0)] | None = Field(default=None, alias="bytes")
    """How many bytes arrive."""
    percent: Annotated[float, Field(ge=0, le=100)] | None = None
    """How much of the announced length arrives; 50 when neither is given."""

    @model_validator(mode="after")
    def _one_measure(self) -> BodyTruncate:
        if self.after_bytes is not None and self.percent is not None:
            raise ValueError(f"bytes={self.after_bytes} and percent={self.percent:g} exclude each other")
        return self

    @property
    def where(self) -> Where:
        """The place that the settings mean."""
        if self.after_bytes is not None:
            return Where("byte", self.after_bytes)
        return Where("percent", 50 if self.percent is None else self.percent)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return AtPlace(self.where, exchange, self._cut)

    def _cut(self, frame: Frame, before: int) -> Sequence[Outgoing]:
        kept, _ = split_frame(frame, before)
        return [*kept, Hit(frame.at, f"connection closed {self.where.place()}"), Abort(frame.at, Cut.FIN)]


class BodyCorrupt(Fault):
    """Flip all bits of some bytes, like a bad cache or a broken disk; the length stays right."""

    type: ClassVar[str] = "body.corrupt"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "a download of the right length with wrong bytes; only a checksum tells"
    timeline: ClassVar[str] = "upstream  h bbbbbbbb end\nclient    h bb~~bbbb end"
    no_neutral: ClassVar[str | None] = "flipped bits are never the same; a shorter body is a miss, not a setting"

    offset: Annotated[int, Field(ge=0)] = 0
    """The first wrong byte of the body, counted from 0."""
    length: Annotated[int, Field(ge=1)] = 1
    """How many bytes are wrong."""

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Corrupted(self.offset, self.offset + self.length, exchange)


class Corrupted:
    """Counts the bytes and flips those that lie between ``begin`` and ``end``."""

    def __init__(self, begin: int, end: int, exchange: Exchange) -> None:
        self._begin = begin
        self._end = end
        self._passed = exchange.seen.bytes
        self._read = dialect(exchange.dialect).read_event
        self._settled = False
        self._over = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._over:
            return passing(event)
        if isinstance(event, Frame):
            return self._pass(event)
        self._over = isinstance(event, End | Abort | Heal)
        too_late = isinstance(event, Tick) and self._passed >= self._end
        if self._settled or not (self._over or too_late):
            return passing(event)
        self._settled = True
        return [Miss(event.at, f"byte {self._begin} of the answer did not come"), *passing(event)]

    def _pass(self, frame: Frame) -> Sequence[Outgoing]:
        first, last = max(0, self._begin - self._passed), self._end - self._passed
        self._passed += len(frame.data)
        if first >= min(last, len(frame.data)):
            return (frame,)
        wrong = bytes(byte ^ 0xFF for byte in frame.data[first:last])
        data = frame.data[:first] + wrong + frame.data[max(0, last) :]
        corrupt = replace(frame, data=data, meaning=frame.meaning if frame.kind == Kind.RAW else self._read(data))
        if self._settled:
            return (corrupt,)
        self._settled = True
        return [Hit(frame.at, f"flipped bytes {self._begin} to {self._end - 1}"), corrupt]


class BodyIgnoreRange(Fault):
    """Ask the upstream without ``Range``, so that a client which wanted a part gets all of it, with status 200."""

    type: ClassVar[str] = "body.ignore_range"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "the whole file although a part was asked for; who appends it to a half has a broken one"
    timeline: ClassVar[str] = "client    ask(range)\nupstream  ask 200 bbbbbbbb end\nclient    200 bbbbbbbb end"
    no_neutral: ClassVar[str | None] = "a request without a range is a miss, not a setting"

    def lacks(self, exchange: Exchange) -> str | None:
        """A range has to be asked for."""
        return lacks_range(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Whole(exchange)


class Whole:
    """Takes the range out of the question."""

    def __init__(self, exchange: Exchange) -> None:
        self._open = exchange.seen.open
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._settled or (isinstance(event, Tick) and not self._open):
            return passing(event)
        self._settled = True
        if isinstance(event, Ask):
            without = (*event.without, "range", "if-range")
            return [Hit(event.at, "asked for the whole body"), replace(event, without=without)]
        reason = "the request had already been sent" if self._open else "the request was not sent"
        return [Miss(event.at, reason), *passing(event)]


def lacks_range(exchange: Exchange) -> str | None:
    """Why a fault on ranges can never act here (RFC 9110, 14.2)."""
    return None if header(exchange.headers, "range") else "the request asks for no range"
