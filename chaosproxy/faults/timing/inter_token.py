"""time.inter_token: the tokens come slowly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import ClassVar

from chaosproxy.events import TOKEN, Abort, End, Exchange, Frame, Heal, Hit, Incoming, Miss, Outgoing, Seen
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

    def feed(self, event: Incoming) -> Iterable[Outgoing]:
        out: list[Outgoing] = []
        for passed in passing(event):
            at = self._due_at(passed) if isinstance(passed, Frame) else passed.at
            self._last_at = max(at, self._last_at)
            if isinstance(passed, Frame) and passed.kind & TOKEN:
                self._token_at = self._last_at
            out.append(replace(passed, at=self._last_at))
        return [*self._said(event), *out]

    def _due_at(self, frame: Frame) -> float:
        if not frame.kind & TOKEN or self._token_at is None:
            return frame.at
        due_at = self._token_at + self._law.draw_s(self._dice)
        return due_at if due_at > frame.at + _NOTICEABLE_S else frame.at

    def _said(self, event: Incoming) -> Iterable[Outgoing]:
        if not self._settled and (said := self._judged(event)):
            self._settled = True
            yield said

    def _judged(self, event: Incoming) -> Hit | Miss | None:
        if isinstance(event, Frame) and self._last_at > event.at:
            return Hit(event.at, f"tokens at least {self._law} apart")
        if isinstance(event, End | Abort | Heal):
            return Miss(event.at, "no gap between two tokens was shorter")
        return unstreamed(self._seen, event)
