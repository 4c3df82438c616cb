"""How long a fault was felt: the time to the first lasting span of success, and to the first span of normal routing."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from chaosproxy.steady_state.observation import Observation
from chaosproxy.steady_state.outcome import Outcome
from chaosproxy.steady_state.timeline import Span, Unknowable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chaosproxy.steady_state.claims import Expectation, PlannedFault
    from chaosproxy.steady_state.history import History, Story


@dataclass(frozen=True, slots=True)
class _Good:
    """Which calls count as good: as far as can be told, without any doubt, and if every doubt is in their favour."""

    likely: Callable[[Story], bool]
    surely: Callable[[Story], bool]
    perhaps: Callable[[Story], bool]


DEFAULT_FOR_S = 3.0
DEFAULT_SUCCESS = 0.95
DEFAULT_SHARE_OF_BASELINE = 0.8


def applied_late(history: History, fault: str) -> float:
    """Seconds from the planned to the real begin. Raises Unknowable when the plan hangs on another fault."""
    planned, origin = _planned(history, fault), history.timeline.origin
    applied_at = history.timeline.spell(fault).applied_at
    if planned.at_s is None or origin is None:
        raise Unknowable(f"the begin of fault {fault!r} was not planned as a time, it follows another fault")
    return applied_at - origin - planned.at_s


def failover_time(history: History, expectation: Expectation) -> Observation:
    """From the fault's begin to the first answer of the first span of lasting success; raises Unknowable.

    Where it met nobody for as long as such a span, from the first call that it met: nothing had failed before.
    """
    fault, sustained = expectation.expect.argument or "", expectation.sustained
    begin = history.timeline.spell(fault).applied_at
    _require_hits(history, fault)
    for_s = sustained.for_s if sustained else DEFAULT_FOR_S
    met_at = _met_at(history, fault)
    since = met_at if met_at is not None and met_at >= begin + for_s else begin
    share = sustained.success if sustained and sustained.success is not None else DEFAULT_SUCCESS
    span = Span(f"{fault}.applied..over", since, history.timeline.over)
    ok = _Good(lambda story: story.outcome is Outcome.OK, lambda story: story.surely_ok, lambda story: story.perhaps_ok)
    return _observed(history, expectation, span, for_s, share, ok)


def recovery_time(history: History, expectation: Expectation) -> Observation:
    """From the fault's end to the first answer of the first span in which its targets serve; raises Unknowable."""
    fault, sustained = expectation.expect.argument or "", expectation.sustained
    healed_at = history.timeline.healed_at(fault)
    _require_hits(history, fault)
    targets = _planned(history, fault).targets
    for_s = sustained.for_s if sustained else DEFAULT_FOR_S
    part = sustained.share_of_baseline if sustained else None
    share = (DEFAULT_SHARE_OF_BASELINE if part is None else part) * baseline(history, targets)

    def served(story: Story) -> bool:
        return served_by(story, targets)

    span = Span(f"{fault}.healed..over", healed_at, history.timeline.over)
    good = _Good(served, served, lambda story: served(story) or story.outcome is Outcome.UNFINISHED)
    return _observed(history, expectation, span, for_s, share, good)


def served_by(story: Story, listeners: Sequence[str]) -> bool:
    """Whether the call has an answer, and from one of these."""
    return story.answered and story.source is not None and story.source.listener in listeners


def baseline(history: History, targets: Sequence[str]) -> float:
    """The part of all calls that the targets answered before the first fault. Raises Unknowable when it is nothing."""
    timeline = history.timeline
    if timeline.origin is None or timeline.injection is None or not timeline.origin < timeline.injection:
        raise Unknowable("there was no steady time before the first fault to compare with")
    steady = history.calls(Span("steady", timeline.origin, timeline.injection))
    if not all(story.call.tagged for story in history.stories):
        raise Unknowable("calls carry no tag, so who answered them is not known")
    served = sum(served_by(story, targets) for story in steady)
    if not served:
        raise Unknowable(f"{' and '.join(targets)} answered nothing before the first fault: nothing can recover")
    return served / len(steady)


def _planned(history: History, fault: str) -> PlannedFault:
    return next(planned for planned in history.claims.faults if planned.id == fault)


def _require_hits(history: History, fault: str) -> None:
    if _planned(history, fault).counts_hits and not history.hits_of(fault):
        raise Unknowable(f"fault {fault!r} hit nothing")


def _met_at(history: History, fault: str) -> float | None:
    """When the first call was meant to be sent that it met, or its first hit was on somebody else."""
    calls = [story.call.intended_at for story in history.stories if any(hit.fault == fault for hit in story.hits)]
    return min([*calls, *(hit.at for hit in history.hits_of(fault))], default=None)


def _since(history: History, at: float) -> list[Story]:
    return [story for story in history.stories if story.call.intended_at >= at]


def _first_span(
    stories: Sequence[Story], good: Callable[[Story], bool], share: float, for_s: float, over: float
) -> Story | None:
    """The good call that begins the earliest span with enough good calls in it; the span must lie before ``over``."""
    times = [story.call.intended_at for story in stories]
    goods = [0, *accumulate(int(good(story)) for story in stories)]
    for index, story in enumerate(stories):
        if times[index] + for_s > over:
            return None
        end = bisect_left(times, times[index] + for_s)
        if good(story) and goods[end] - goods[index] >= share * (end - index) - 1e-9:
            return story
    return None


def _observed(
    history: History, expectation: Expectation, span: Span, for_s: float, share: float, good: _Good
) -> Observation:
    """When the first lasting span began; the bounds are what it would be if every doubt were in favour, or against."""
    since, over = span.start, span.end
    stories = [story for story in _since(history, since) if story.call.intended_at < over]
    if over - for_s <= since or not stories:
        raise Unknowable(f"the data ends {max(over - since, 0):.1f} s after it, a span of {for_s:g} s does not fit")
    begin, earliest, latest = (
        _first_span(_since(history, since), test, share, for_s, over)
        for test in (good.likely, good.perhaps, good.surely)
    )
    answer_at = over if begin is None else begin.answer_at or begin.end_at
    in_time = since + expectation.expect.value
    against = tuple(
        story.id for story in stories if story.call.intended_at < answer_at and _late(story, good.likely, in_time)
    )
    low, high = over - for_s - since, math.inf
    if earliest is not None:
        low = (earliest.answer_at or earliest.call.intended_at) - since
    if latest is not None:
        high = max((latest.answer_at or latest.end_at) - since, 0.0)
    why = _DOUBTFUL if earliest is not latest else ""
    if begin is None:
        return Observation(span.text, span, None, max(low, 0.0), high, len(stories), why, against)
    value = max(answer_at - since, 0.0)
    lag = history.lag_s(since, since + value)
    low, high = max(min(low, value) - lag, 0.0), max(high, value) + lag
    why = why or ("our own processes were late while it was measured" if lag else "")
    return Observation(span.text, span, value, low, high, len(stories), why, against)


_DOUBTFUL = "which calls were answered as they should is not known for all of them"


def _late(story: Story, good: Callable[[Story], bool], in_time: float) -> bool:
    """Whether a call was still without its answer when all should have been well."""
    return not good(story) or story.call.intended_at < in_time < (story.answer_at or in_time)
