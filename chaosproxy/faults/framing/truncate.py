"""stream.truncate: the clean early end, the one that no client notices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import Abort, End, Exchange, Frame, Framing, Head, Heal, Hit, Incoming, Miss, Outgoing, Tick
from chaosproxy.faults.base import Fault, Room
from chaosproxy.faults.where import Gap, Where, WhereSetting


class StreamTruncate(Fault):
    """End the body cleanly before it is complete, like a gateway that hides its upstream's cut (wire.md, S1)."""

    type: ClassVar[str] = "stream.truncate"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "the answer stops in the middle; the body ends as if complete, and no client raises an error"
    timeline: ClassVar[str] = "upstream  h f f f f f f end\nclient    h f f end"
    no_neutral: ClassVar[str | None] = "a cut always ends the body; a place that is never reached is a miss, not a setting"
    edits_frames: ClassVar[bool] = True

    where: WhereSetting = Where("token", 5)
    """The body ends here."""
    framing: Literal["chunked", "close", "length"] = "chunked"
    """How the client learns of the end: the last chunk, a FIN (body without length), or a Content-Length that fits; for
    the last one the answer is held back until the cut, because its length must be known first."""

    def stage(self, dice: Random, exchange: Exchange) -> Truncate:
        """One per exchange; uses no chance."""
        return Truncate(self, exchange)


class Truncate:
    """Passes everything up to the gap, then End, then nothing."""

    def __init__(self, fault: StreamTruncate, exchange: Exchange) -> None:
        self._fault = fault
        self._gap = Gap(fault.where, exchange.seen)
        self._over = False  # ended, or known to miss
        self._held: list[Head | Frame] = []

    def feed(self, event: Incoming) -> Iterable[Outgoing]:
        if self._over:
            return self._afterwards(event)
        match event:
            case Tick(at):
                return self._miss(at, f"{self._fault.where.words()} had already passed") if self._gap.passed else ()
            case Head():
                return self._begin(event)
            case Frame():
                return self._pass_or_cut(event)
            case End(at) | Abort(at):
                return [*self._miss(at, f"the body ended before {self._fault.where.words()}"), event]
            case Heal(at):
                return self._miss(at, "healed before its place was reached")
        return (event,)

    def _afterwards(self, event: Incoming) -> Iterable[Outgoing]:
        return () if self._gap.found or isinstance(event, Tick | Heal) else (event,)

    def _miss(self, at: float, reason: str) -> list[Outgoing]:
        self._over = True
        return [Miss(at, reason), *self._released(at)]

    def _released(self, at: float) -> list[Outgoing]:
        return [_later(event, at) for event in self._held]

    def _begin(self, head: Head) -> Iterable[Outgoing]:
        where = self._fault.where
        if where.needs_frames and not head.streamed:
            return [*self._miss(head.at, "the answer was not streamed"), head]
        if head.length is not None:
            self._gap.length_known(head.length)
        elif where.unit == "percent":
            return [*self._miss(head.at, "the length of the body is not known, so a percentage of it is not either"), head]
        match self._fault.framing:
            case "chunked":
                return (head.framed(Framing.CHUNKED),)
            case "close":
                return (head.framed(Framing.CLOSE),)
            case _:
                self._held.append(head)
                return ()

    def _pass_or_cut(self, frame: Frame) -> Iterable[Outgoing]:
        before = self._gap.split(frame)
        if before is None:
            if not self._held:
                return (frame,)
            self._held.append(frame)
            return ()
        self._over = True
        kept: list[Outgoing] = [Frame(frame.at, frame.data[:before], frame.meaning)] if before else []
        return [*self._cut_head(frame.at, before), *kept, Hit(frame.at, f"cut after {self._fault.where.words()}"), End(frame.at)]

    def _cut_head(self, at: float, before: int) -> list[Outgoing]:
        length = before + sum(len(event.data) for event in self._held if isinstance(event, Frame))
        return [
            event.framed(Framing.LENGTH, length) if isinstance(event, Head) else event for event in self._released(at)
        ]


def _later(event: Head | Frame, at: float) -> Head | Frame:
    """The event, sent at ``at``."""
    return replace(event, at=at)
