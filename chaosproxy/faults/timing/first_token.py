"""time.first_token: the first token comes late, everything after it follows at its own pace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import ClassVar

from chaosproxy.events import TOKEN, Abort, End, Exchange, Frame, Heal, Hit, Incoming, Miss, Outgoing, Seen, Tick
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

    def feed(self, event: Incoming) -> Iterable[Outgoing]:
        said: list[Outgoing] = [] if self._settled else list(self._judged(event))
        self._settled = self._settled or bool(said)
        return said + [replace(passed, at=passed.at + self._shift_s) for passed in passing(event)]

    def _judged(self, event: Incoming) -> Iterable[Outgoing]:
        match event:
            case Frame(at) if event.kind & TOKEN and self._delay_s:
                self._shift_s = self._delay_s
                yield Hit(at, f"first token {format_duration(round(self._delay_s, 3))} later")
            case Frame(at) if event.kind & TOKEN:
                yield Miss(at, "the delay was zero")
            case Tick(at) if self._seen.tokens:
                yield Miss(at, "the first token had already passed")
            case End(at) | Abort(at):
                yield Miss(at, "the answer had no token")
            case Heal(at):
                yield Miss(at, "healed before the first token")
            case _ if miss := unstreamed(self._seen, event):
                yield miss
