"""time.first_token: the first token comes late, everything after it follows at its own pace."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from chaosproxy.events import TOKEN, Abort, End, Exchange, Frame, Heal, Hit, Incoming, Miss, Outgoing, Seen, Tick, moved
from chaosproxy.faults.base import Stage
from chaosproxy.faults.stages import passing, unstreamed
from chaosproxy.faults.timing.delay import Delay, Law
from chaosproxy.units import Duration, format_duration


class TimeFirstToken(Delay):
    """Delay the first content or tool delta; role chunks and pings before it may pass."""

    type: ClassVar[str] = "time.first_token"
    symptom: ClassVar[str] = "a long wait before the first word; then the answer comes at its usual pace"
    timeline: ClassVar[str] = "upstream  h f f f f end\nclient    h ........ f f f f end"
    profiles: ClassVar[dict[str, Law]] = {"7b": Law(2, 1), "13b": Law(5, 2), "70b": Law(20, 10)}

    mean: Duration = 1.0
    """Added before the first token."""

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One draw per exchange."""
        return LateStart(self.law.draw_s(dice), exchange.seen)


class LateStart:
    """Shifts the first token and all that follows by one delay."""

    def __init__(self, delay_s: float, seen: Seen) -> None:
        self._delay_s = delay_s
        self._seen = seen
        self._shift_s = 0.0
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        said = None if self._settled else self._judged(event)
        passed = passing(event)
        if self._shift_s:
            passed = tuple(moved(each, each.at + self._shift_s) for each in passed)
        if said is None:
            return passed
        self._settled = True
        return (said, *passed)

    def _judged(self, event: Incoming) -> Hit | Miss | None:
        match event:
            case Frame(at) if event.kind & TOKEN and self._delay_s:
                self._shift_s = self._delay_s
                return Hit(at, f"first token {format_duration(round(self._delay_s, 3))} later")
            case Frame(at) if event.kind & TOKEN:
                return Miss(at, "the delay was zero")
            case Tick(at) if self._seen.tokens:
                return Miss(at, "the first token had already passed")
            case End(at) | Abort(at):
                return Miss(at, "the answer had no token")
            case Heal(at):
                return Miss(at, "healed before the first token")
        return unstreamed(self._seen, event)
