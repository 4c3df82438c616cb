"""time.inter_token: the tokens come slowly."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from chaosproxy.events import (
    TOKEN,
    Abort,
    End,
    Exchange,
    Frame,
    Heal,
    Hit,
    Incoming,
    Miss,
    Outgoing,
    Seen,
    Travelling,
    moved,
)
from chaosproxy.faults.base import Stage
from chaosproxy.faults.stages import passing, unstreamed
from chaosproxy.faults.timing.delay import Delay, Law
from chaosproxy.units import Duration

_NOTICEABLE_S = 1e-6
"""Less than this is rounding, not a delay."""


class TimeInterToken(Delay):
    """Keep a gap between one content or tool delta and the next.

    A gap that is longer already stays as it is, so the pace is what was asked for, whatever the upstream's own is.
    """

    type: ClassVar[str] = "time.inter_token"
    symptom: ClassVar[str] = "the answer comes slowly, word by word, and takes long as a whole"
    timeline: ClassVar[str] = "upstream  h f f f f end\nclient    h f ... f ... f ... f end"
    profiles: ClassVar[dict[str, Law]] = {"7b": Law(0.02, 0.01), "13b": Law(0.05, 0.02), "70b": Law(0.2, 0.1)}

    mean: Duration = 0.1
    """The gap between two tokens."""

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One draw per gap."""
        return Paced(self.law, dice, exchange.seen)


class Paced:
    """No token earlier than a gap after the one before it; everything stays in its order."""

    def __init__(self, law: Law, dice: Random, seen: Seen) -> None:
        self._law = law
        self._dice = dice
        self._seen = seen
        self._token_at: float | None = None
        self._last_at = 0.0
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        passed = tuple(moved(each, self._due_at(each)) for each in passing(event))
        if self._settled or (said := self._judged(event)) is None:
            return passed
        self._settled = True
        return (said, *passed)

    def _due_at(self, event: Travelling) -> float:
        at = event.at
        token = isinstance(event, Frame) and event.meaning.kind & TOKEN
        if token and self._token_at is not None:
            due_at = self._token_at + self._law.draw_s(self._dice)
            at = due_at if due_at > at + _NOTICEABLE_S else at
        self._last_at = at = max(at, self._last_at)
        if token:
            self._token_at = at
        return at

    def _judged(self, event: Incoming) -> Hit | Miss | None:
        if isinstance(event, Frame):
            return Hit(event.at, f"tokens at least {self._law} apart") if self._last_at > event.at else None
        if isinstance(event, End | Abort | Heal):
            return Miss(event.at, "no gap between two tokens was shorter")
        return unstreamed(self._seen, event)
