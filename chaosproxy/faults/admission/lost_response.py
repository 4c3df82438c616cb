"""conn.lost_response: the upstream works and bills, the client gets nothing."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import AT_HEAL, Abort, Cut, End, Exchange, Frame, Head, Heal, Hit, Incoming, Miss, Outgoing
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import passing


class ConnLostResponse(Fault):
    """Lose the answer on its way: the upstream is asked, answers to the end and bills, so a retry costs twice."""

    type: ClassVar[str] = "conn.lost_response"
    room: ClassVar[Room] = Room.ADMISSION
    symptom: ClassVar[str] = "no answer or a reset, although the upstream did the work; a retry does it twice"
    timeline: ClassVar[str] = "client    ask\nupstream  ask h f f f end\nclient    ........................ RST"
    no_neutral: ClassVar[str | None] = "a lost answer is never the same as one that arrives"

    mode: Literal["silence", "reset"] = "silence"
    """What the client gets: nothing until the lease ends, or a reset when the upstream has answered to the end."""

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Lost(self.mode)


class Lost:
    """Lets the request through and swallows the answer."""

    def __init__(self, mode: Literal["silence", "reset"]) -> None:
        self._mode = mode
        self._lost = False
        self._missed = False
        self._ended = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._missed:
            return passing(event)
        if self._lost:
            return self._end(event)
        match event:
            case Head() | Frame():
                self._lost = True
                hit = Hit(event.at, "the upstream's answer was lost")
                return [hit, Abort(AT_HEAL, Cut.RESET)] if self._mode == "silence" else [hit]
            case End() | Abort() | Heal():
                self._missed = True
                return [Miss(event.at, "the upstream gave no answer that could be lost"), *passing(event)]
        return passing(event)

    def _end(self, event: Incoming) -> Sequence[Outgoing]:
        if self._mode == "reset" and not self._ended and isinstance(event, End | Abort | Heal):
            self._ended = True
            return [Abort(event.at, Cut.RESET)]
        return ()
