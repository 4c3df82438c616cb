"""Observes what an expectation is about, in each of its windows. The definitions: docs/definitions.md."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from chaosproxy.steady_state import own, probes, workflows
from chaosproxy.steady_state.claims import Abort, Expectation, Moment, Window
from chaosproxy.steady_state.expression import parse_objectives
from chaosproxy.steady_state.history import History, Story
from chaosproxy.steady_state.observation import OPERATORS, Observation, Sample, State, aggregated, needed_samples
from chaosproxy.steady_state.outcome import Doubt, Outcome
from chaosproxy.steady_state.samples import SAMPLERS, Sampler, contents, meets
from chaosproxy.steady_state.spells import applied_late, failover_time, recovery_time, served_by
from chaosproxy.steady_state.spending import Spending
from chaosproxy.steady_state.timeline import Span, Unknowable
from chaosproxy.steady_state.vocabulary import MEASURES, Needs, Unit
from chaosproxy.units import format_duration, parse_duration

if TYPE_CHECKING:
    from chaosproxy.steady_state.claims import Expression
    from chaosproxy.steady_state.timeline import Timeline


def observe(history: History, expectation: Expectation, now: float | None = None) -> tuple[Observation, ...]:
    """One observation per window. ``now`` is for a run that still goes on: windows that are not over end there."""
    if now is not None:
        history = replace(history, timeline=replace(history.timeline, last_at=now))
    return tuple(_observe(history, expectation, window) for window in expectation.over)


def abort_met(history: History, abort: Abort, now: float) -> bool:
    """Whether an abort condition is met for certain, by the calls that ended in the last ``for_s`` (at least 1 s).

    In none of its seconds may calls speak against it; one in which none ended is no break.
    """
    for_s = max(abort.for_s, 1.0)
    start = history.timeline.marks.get("warmup", history.timeline.origin)
    if start is None or now - start < abort.for_s:
        return False
    if _lately(history, abort, Span("recent", now - for_s, math.nextafter(now, math.inf))) is not State.HELD:
        return False
    seconds = range(int(for_s))
    parts = (Span("recent", now - second - 1, now - second) for second in seconds)
    return all(_lately(history, replace(abort, min_samples=1), part) is not State.DEVIATED for part in parts)


def _lately(history: History, abort: Abort, recent: Span) -> State:
    """Whether the condition holds for the calls that ended in this span."""
    ended = tuple(story for story in history.stories if story.end_at in recent)
    looked = tuple(run for run in history.probes if run.at + run.took_s in recent)
    live = replace(history, stories=ended, probes=looked, timeline=replace(history.timeline, last_at=recent.end))
    whole = Window("recent", Moment("start", -math.inf), Moment("start", math.inf))
    expectation = Expectation("abort", abort.when, (whole,), min_samples=abort.min_samples)
    seen = _observe(live, expectation, whole)
    if MEASURES[abort.when.measure].unit is Unit.PER_SECOND and seen.value is not None:
        seen = _per_second(seen, recent.length_s)
    return seen.state(abort.when)


def _observe(history: History, expectation: Expectation, window: Window) -> Observation:
    """In each way in which it may have been, where the times of faults are not known exactly."""
    error_s = history.timeline.clock_error_s
    if not error_s:
        return _observe_once(history, expectation, window)
    wide, *others = (
        _observe_once(replace(history, timeline=timeline), expectation, window)
        for timeline in _perhaps(history, expectation)
    )
    state = wide.state(expectation.expect)
    if all(other.state(expectation.expect) is state for other in others):
        return wide
    why = f"the clocks of the proxy and the runner agree to {format_duration(round(error_s, 6))} only"
    return replace(wide, low=-math.inf, high=math.inf, why=why)


def _perhaps(history: History, expectation: Expectation) -> Iterator[Timeline]:
    """Windows a little wider and a little narrower; for cohorts of a load of ours also all faults earlier and later."""
    timeline = history.timeline
    errors_s = (timeline.clock_error_s, -timeline.clock_error_s)
    yield from (replace(timeline, margin_s=error_s) for error_s in errors_s)
    if expectation.cohort in ("new", "in_flight") and not history.claims.external:
        yield from map(timeline.with_faults, errors_s)


def _observe_once(history: History, expectation: Expectation, window: Window) -> Observation:
    try:
        observe_one = _OTHERS.get(expectation.expect.measure, _over_calls)
        return _unless_cut_off(history, expectation, observe_one(history, expectation, window))
    except Unknowable as reason:
        return Observation(window.text, None, None, why=str(reason))


def _unless_cut_off(history: History, expectation: Expectation, seen: Observation) -> Observation:
    """With what may have come where a window goes on after the end of the timeline; a count can only grow."""
    unseen_s = 0.0 if seen.span is None else history.timeline.unseen_s(seen.span)
    if not unseen_s:
        return seen
    measure = MEASURES[expectation.expect.measure]
    low = seen.low if measure.unit is Unit.COUNT and not measure.sampled else -math.inf
    why = f"the window ends {format_duration(round(unseen_s, 3))} after the end of the timeline"
    return replace(seen, low=low, high=math.inf, why=why)


# ------------------------------------------------------------------------------------------------ measures over calls


def _over_calls(history: History, expectation: Expectation, window: Window) -> Observation:
    expect = expectation.expect
    measure = MEASURES[expect.measure]
    aggregate = expect.aggregate or ("mean" if measure.unit is Unit.SHARE else "sum")
    span = history.timeline.span(window)
    sampler = SAMPLERS[measure.name] if measure.value_of is None else own.sampler_of(measure)
    samples = _samples(history, expectation, span, sampler)
    return _summary(expectation, span, samples, aggregate)


def _served_by(history: History, expectation: Expectation, window: Window) -> Observation:
    def sampler(_: History, story: Story) -> Iterable[Sample]:
        served = served_by(story, (expectation.expect.argument or "",))
        if story.outcome is Outcome.UNFINISHED:
            return (Sample(story.id, 0.0, 0.0, 1.0, Doubt.UNFINISHED),)
        return (Sample.sure(story.id, float(served)),) if story.answered else ()

    span = history.timeline.span(window)
    return _summary(expectation, span, _samples(history, expectation, span, sampler), "mean")


def _goodput(history: History, expectation: Expectation, window: Window) -> Observation:
    """Of a window without end (``_lately`` knows how long it looked) it is the number of calls."""
    argument = expectation.expect.argument
    objectives = () if argument is None else parse_objectives(argument)
    span = history.timeline.span(window)
    samples = _samples(history, expectation, span, lambda own, story: (meets(own, story, objectives),))
    seen = _summary(expectation, span, samples, "sum")
    return seen if math.isinf(span.length_s) else _per_second(seen, span.length_s)


def _apdex(history: History, expectation: Expectation, window: Window) -> Observation:
    time_s = parse_duration(expectation.expect.argument or "")
    span = history.timeline.span(window)
    samples = _samples(history, expectation, span, lambda own, story: (contents(own, story, time_s),))
    return _summary(expectation, span, samples, "mean")


def _steps_done(history: History, expectation: Expectation, window: Window) -> Observation:
    span = history.timeline.span(window)
    made = workflows.journeys(history, span, expectation.load)
    return _summary(expectation, span, [sample for each in made for sample in workflows.done(each)], "mean")


def _workflow_success(history: History, expectation: Expectation, window: Window) -> Observation:
    span = history.timeline.span(window)
    made = workflows.journeys(history, span, expectation.load)
    return _summary(expectation, span, [workflows.whole(each) for each in made], "mean")


def _throughput_kept(history: History, expectation: Expectation, window: Window) -> Observation:
    span = history.timeline.span(window)
    return _if_enough(expectation, workflows.kept(_stories(history, expectation, span), span))


def _requests_per_success(history: History, expectation: Expectation, window: Window) -> Observation:
    span = history.timeline.span(window)
    return _if_enough(expectation, workflows.cost_each(_stories(history, expectation, span), span))


def _if_enough(expectation: Expectation, seen: Observation) -> Observation:
    """Nothing is known from fewer calls than the file asks for."""
    needed = expectation.min_samples or 0
    if seen.samples >= needed:
        return seen
    return replace(seen, low=-math.inf, high=math.inf, why=f"{seen.samples} samples, it needs {needed}")


def _per_second(seen: Observation, length_s: float) -> Observation:
    value = None if seen.value is None else seen.value / length_s
    return replace(seen, value=value, low=seen.low / length_s, high=seen.high / length_s)


def _samples(history: History, expectation: Expectation, span: Span, sampler: Sampler) -> list[Sample]:
    stories = _stories(history, expectation, span)
    if expectation.of == "completed":
        stories = [story for story in stories if story.outcome in (Outcome.OK, Outcome.UNFINISHED)]
    samples = [sample for story in stories for sample in sampler(history, story)]
    if not _counted(expectation, samples)[0]:
        raise Unknowable(f"no call in the window {span.text!r} has a value of {expectation.expect.measure}")
    return samples


def _stories(history: History, expectation: Expectation, span: Span) -> list[Story]:
    """The calls that an expectation looks at. Raises Unknowable when there are none."""
    stories = [
        story
        for story in history.calls(span, expectation.cohort)
        if expectation.load is None or story.call.load == expectation.load
    ]
    if not stories:
        cohort = f" of the cohort {expectation.cohort}" if expectation.cohort else ""
        load = f" of the load {expectation.load}" if expectation.load else ""
        raise Unknowable(f"no calls{load}{cohort} in the window {span.text!r}")
    if MEASURES[expectation.expect.measure].needs is Needs.EXCHANGES:
        _require_tags(stories)
    return stories


def _require_tags(stories: Iterable[Story]) -> None:
    untagged = sum(not story.call.tagged for story in stories)
    if untagged:
        raise Unknowable(f"{untagged} calls carry no tag, so which exchanges they cost is not known")


def _counted(expectation: Expectation, found: list[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Those that belong to it, and those that may: a call that has not ended is no completed one yet."""
    if expectation.of == "all":
        return found, []
    perhaps = [sample for sample in found if sample.doubt is Doubt.UNFINISHED]
    return [sample for sample in found if sample.doubt is not Doubt.UNFINISHED], perhaps


def _summary(expectation: Expectation, span: Span, found: list[Sample], aggregate: str) -> Observation:
    samples, perhaps = _counted(expectation, found)
    value = aggregated(aggregate, [sample.value for sample in samples])
    low, high = _bounds(samples, perhaps, aggregate)
    needed = needed_samples(aggregate) if expectation.min_samples is None else expectation.min_samples
    why = _doubt(found) if low != high else ""
    if len(samples) < needed:
        why = f"{len(samples)} samples, it needs {needed}"
        low, high = (low if aggregate == "sum" else -math.inf), math.inf  # a sum of counts can only grow
    against = tuple(dict.fromkeys(sample.call for sample in samples if _speaks_against(expectation.expect, sample)))
    return Observation(span.text, span, value, low, high, len(samples), why, against)


def _bounds(samples: list[Sample], perhaps: list[Sample], aggregate: str) -> tuple[float, float]:
    """Whether or not those that may belong to it do."""
    lows, highs = [sample.low for sample in samples], [sample.high for sample in samples]
    low, high = aggregated(aggregate, lows), aggregated(aggregate, highs)
    if perhaps:
        least, most = min(sample.low for sample in perhaps), max(sample.high for sample in perhaps)
        low = min(low, aggregated(aggregate, [*lows, *(least for _ in perhaps)]))
        high = max(high, aggregated(aggregate, [*highs, *(most for _ in perhaps)]))
    return low, high


def _doubt(samples: list[Sample]) -> str:
    """All reasons for which the bounds are apart."""
    doubts = Counter(sample.doubt or Doubt.LATE for sample in samples if sample.low != sample.high)
    return "; ".join(doubt.format(count=doubts[doubt]) for doubt in Doubt if doubts[doubt])


def _speaks_against(expect: Expression, sample: Sample) -> bool:
    if MEASURES[expect.measure].sampled:
        return not OPERATORS[expect.operator](sample.value, expect.value)
    wants_many = expect.operator in (">", ">=") or (expect.operator == "==" and expect.value > 0)
    return sample.value == 0 if wants_many else sample.value > 0


# ---------------------------------------------------------------------------------------------------- other measures


def _upstream_requests(history: History, expectation: Expectation, window: Window) -> Observation:
    span = history.timeline.span(window)
    if expectation.cohort is None:
        began = [each.began_at for each in history.asked] + [each.began_at for each in history.pending]
        return _sure(span, sum(at in span for at in began))
    stories = history.calls(span, expectation.cohort)
    _require_tags(stories)
    return _sure(span, sum(len(story.exchanges) for story in stories))


def _cost(history: History, expectation: Expectation, window: Window) -> Observation:
    """Between bounds where tokens were counted, and without an upper one where a model has no price."""
    if history.claims.prices is None:
        raise Unknowable("nobody said what tokens cost (safety.prices)")
    span = history.timeline.span(window)
    exchanges = [exchange for exchange in history.asked if exchange.began_at in span]
    if expectation.cohort is not None:
        stories = history.calls(span, expectation.cohort)
        _require_tags(stories)
        exchanges = [exchange for story in stories for exchange in story.exchanges]
    spent = Spending.of(exchanges, history.claims.prices)
    return Observation(span.text, span, spent.money, *spent.bounds, spent.requests, spent.doubt)


def _hits(history: History, expectation: Expectation, window: Window) -> Observation:
    span = history.timeline.span(window)
    return _sure(span, sum(hit.at in span for hit in history.hits_of(expectation.expect.argument or "")))


def _sure(span: Span, count: int) -> Observation:
    return Observation(span.text, span, float(count), float(count), float(count), count)


def _elapsed(history: History, _: Expectation, window: Window) -> Observation:
    value = history.timeline.last_at - history.timeline.at(Moment("start"))
    return Observation(window.text, None, value, value, value, 1)


def _applied_late(history: History, expectation: Expectation, window: Window) -> Observation:
    value, error_s = applied_late(history, expectation.expect.argument or ""), history.timeline.clock_error_s
    return Observation(window.text, None, value, value - error_s, value + error_s, 1)


def _spell(
    measure: Callable[[History, Expectation], Observation], history: History, expectation: Expectation, _: Window
) -> Observation:
    error_s = history.timeline.clock_error_s
    seen = _if_enough(expectation, measure(history, expectation))
    return replace(seen, low=seen.low - error_s, high=seen.high + error_s) if error_s else seen


_OTHERS: Mapping[str, Callable[[History, Expectation, Window], Observation]] = MappingProxyType(
    {
        "goodput": _goodput,
        "throughput": _goodput,
        "cost": _cost,
        "apdex": _apdex,
        "steps_done": _steps_done,
        "workflow_success": _workflow_success,
        "throughput_kept": _throughput_kept,
        "requests_per_success": _requests_per_success,
        "served_by": _served_by,
        "upstream_requests": _upstream_requests,
        "hits": _hits,
        "probe.success": probes.success,
        "probe.value": probes.value,
        "elapsed": _elapsed,
        "applied_late": _applied_late,
        "failover_time": partial(_spell, failover_time),
        "recovery_time": partial(_spell, recovery_time),
    }
)
