"""time.first_byte: the answer begins late."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from chaosproxy.events import Abort, End, Exchange, Head, Heal, Hit, Incoming, Miss, Outgoing, Tick, moved
from chaosproxy.faults.base import Stage
from chaosproxy.faults.stages import passing
from chaosproxy.faults.timing.delay import Delay, Law
from chaosproxy.units import Duration, format_duration


class TimeFirstByte(Delay):
    """Delay the head of the answer and all that follows, streamed or not, of any dialect and of none."""

    type: ClassVar[str] = "time.first_byte"
    symptom: ClassVar[str] = "a long wait before anything comes, status included; then the answer at its usual pace"
    timeline: ClassVar[str] = "upstream  h f f f f end\nclient    ........ h f f f f end"
    profiles: ClassVar[dict[str, Law]] = {"7b": Law(0.5, 0.2), "13b": Law(1, 0.5), "70b": Law(5, 2)}

    mean: Duration = 1.0
    """Added before the first byte."""

    @property
    def edits_frames(self) -> bool:
        """Nothing has to be read."""
        return False

    def lacks(self, exchange: Exchange) -> str | None:
        """Every answer has a first byte."""
        del exchange
        return None

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One draw per exchange."""
        return LateHead(self.law.draw_s(dice), exchange)


class LateHead:
    """Shifts the head and all that follows by one delay."""

    def __init__(self, delay_s: float, exchange: Exchange) -> None:
        self._delay_s = delay_s
        self._begun = exchange.seen.head is not None
        self._shift_s = 0.0
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        said = None if self._settled else self._judged(event)
        self._settled = self._settled or said is not None
        passed = passing(event)
        if self._shift_s:
            passed = tuple(moved(each, each.at + self._shift_s) for each in passed)
        return passed if said is None else (said, *passed)

    def _judged(self, event: Incoming) -> Hit | Miss | None:
        match event:
            case Head(at) if self._delay_s:
                self._shift_s = self._delay_s
                return Hit(at, f"first byte {format_duration(round(self._delay_s, 3))} later")
            case Head(at):
                return Miss(at, "the delay was zero")
            case Tick(at) if self._begun:
                return Miss(at, "the first byte had already passed")
            case End(at) | Abort(at):
                return Miss(at, "there was no answer")
            case Heal(at):
                return Miss(at, "healed before the first byte")
        return None
