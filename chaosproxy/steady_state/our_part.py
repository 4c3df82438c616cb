"""What our own processes may have done to a call: they were late, or refused what the system asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from chaosproxy.steady_state.outcome import Doubt, Outcome, Uncertainty

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chaosproxy.journal.traffic import Lag
    from chaosproxy.steady_state.history import Story

REFUSING_PART = "limits"
"""Trouble of this part means that our own bounds failed requests, which the system did not deserve."""
_REFUSALS_S = 1.5
"""Refusals are recorded once a second, and a busy proxy does it later."""
_LAG_PERIOD_S = 1.0
"""A Lag record is about the second before it, and what was late came late into it."""


def reaches(lag: Lag, start: float, end: float) -> bool:
    """Whether it is about any time between the two."""
    return lag.at - _LAG_PERIOD_S - lag.max_s < end and start <= lag.at


def late_s(lags: Iterable[Lag], bound_s: float, start: float, end: float) -> float:
    """By how much our own processes were late between two times, where that exceeded the bound; else 0."""
    return max((lag.max_s for lag in lags if lag.p99_s > bound_s and reaches(lag, start, end)), default=0.0)


def with_our_part(story: Story, lags: Sequence[Lag], refused_at: Sequence[float], bound_s: float) -> Story:
    """A failure that was told while our own processes were late, or refused requests, may be theirs; a hidden one is
    not.
    """
    if not story.admitted:
        return story
    begin, end = story.call.intended_at, story.end_at
    perhaps = frozenset({Outcome.OK}) | (story.uncertainty.perhaps if story.uncertainty else frozenset())
    if late_s(lags, bound_s, begin, end):
        return replace(story, uncertainty=Uncertainty(Doubt.LATE, perhaps))
    if any(at - _REFUSALS_S <= end and begin <= at for at in refused_at):
        return replace(story, uncertainty=Uncertainty(Doubt.REFUSED, perhaps))
    return story
