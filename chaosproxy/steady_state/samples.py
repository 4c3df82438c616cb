"""The values of single calls, from which measures are aggregated: one small function per measure.

Each gives the samples of one call: none when the measure does not apply to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from chaosproxy.steady_state.history import History, Story
from chaosproxy.steady_state.observation import OPERATORS, Sample
from chaosproxy.steady_state.outcome import ANSWERED, Doubt, Outcome

if TYPE_CHECKING:
    from chaosproxy.journal.traffic import ExchangeRecord
    from chaosproxy.steady_state.expression import Objective

Sampler = Callable[[History, Story], Iterable[Sample]]

ABANDON_GRACE_S = 1.0
"""A gateway has this long to cancel its upstream requests after their call ended."""
RETRY_AFTER_TOLERANCE_S = 0.01
"""A timer may fire a little early."""


def has_outcome(story: Story, *outcomes: Outcome) -> Sample:
    """1 when the call has one of them, else 0; between both when it may have one, or may have another."""
    value, uncertainty = story.outcome in outcomes, story.uncertainty
    if uncertainty is None:
        return Sample.sure(story.id, float(value))
    wanted = frozenset(outcomes)
    flawed_for_certain = story.outcome is not Outcome.OK and not story.perhaps_ok
    low = value and (flawed_for_certain or uncertainty.perhaps <= wanted)
    high = value or bool(uncertainty.perhaps & wanted)
    return Sample(story.id, float(value), float(low), float(high), uncertainty.doubt)


def _outcome_in(*outcomes: Outcome) -> Sampler:
    return lambda _, story: (has_outcome(story, *outcomes),)


def _content_intact(_: History, story: Story) -> Iterable[Sample]:
    return (has_outcome(story, Outcome.OK),) if story.answered or story.outcome is Outcome.UNFINISHED else ()


# ------------------------------------------------------------------------------------------------------------- times


def _lagged(history: History, story: Story, value: float) -> Sample:
    """A time, give or take what our own processes were late while the call lasted."""
    lag = history.lag_s(story.call.intended_at, min(story.end_at, story.call.intended_at + value))
    return Sample(story.id, value, max(value - lag, 0.0), value + lag)


def _since_intended(history: History, story: Story, at: float | None) -> Iterable[Sample]:
    """From the intended send time to ``at``; a failed call that never came there waits for ever."""
    if at is not None:
        return (_lagged(history, story, at - story.call.intended_at),)
    if story.outcome is Outcome.UNFINISHED:
        waited_s = history.timeline.last_at - story.call.intended_at
        return (Sample(story.id, math.inf, waited_s, math.inf, Doubt.UNFINISHED),)
    if story.outcome is Outcome.OK:
        return ()
    doubt = story.uncertainty.doubt if story.uncertainty else None
    return (Sample(story.id, math.inf, 0.0 if story.perhaps_ok else math.inf, math.inf, doubt),)


def _ttft(history: History, story: Story) -> Iterable[Sample]:
    return _since_intended(history, story, story.answer_at if story.call.stream or not story.admitted else None)


def _ttfb(history: History, story: Story) -> Iterable[Sample]:
    return _since_intended(history, story, story.call.head_at)


def _e2e(history: History, story: Story) -> Iterable[Sample]:
    return _since_intended(history, story, None if story.admitted else story.call.end_at)


def _tpot(history: History, story: Story) -> Iterable[Sample]:
    call = story.call
    if story.outcome is Outcome.UNFINISHED:
        return (Sample(story.id, math.inf, 0.0, math.inf, Doubt.UNFINISHED),)
    tokens = call.output_tokens or 0
    if tokens < 2 or call.first_content_at is None or call.last_content_at is None:
        return ()
    lag = history.lag_s(call.first_content_at, call.last_content_at) / (tokens - 1)
    value = (call.last_content_at - call.first_content_at) / (tokens - 1)
    return (Sample(story.id, value, max(value - lag, 0.0), value + lag),)


def _gaps_s(story: Story) -> list[float]:
    """The gaps between content events; a call that failed ends with the silence that it died in."""
    call = story.call
    gaps = [gap / 1000 for gap in call.gaps_ms]
    if story.admitted and call.last_content_at is not None and call.end_at is not None:
        gaps.append(call.end_at - call.last_content_at)
    return gaps


def _around(history: History, story: Story, values: Iterable[float]) -> Iterable[Sample]:
    if story.outcome is Outcome.UNFINISHED:
        return (Sample(story.id, math.inf, 0.0, math.inf, Doubt.UNFINISHED),)
    lag = history.lag_s(story.call.first_content_at or story.call.intended_at, story.end_at)
    return tuple(Sample(story.id, value, max(value - lag, 0.0), value + lag) for value in values)


def _icl(history: History, story: Story) -> Iterable[Sample]:
    return _around(history, story, _gaps_s(story))


def _stall(history: History, story: Story) -> Iterable[Sample]:
    gaps = _gaps_s(story)
    return _around(history, story, (max(gaps),) if gaps else ())


def meets(history: History, story: Story, objectives: Iterable[Objective]) -> Sample:
    """1 when the call is ok and within every objective, with doubt where a time is in doubt."""
    good = has_outcome(story, Outcome.OK)
    if story.outcome is not Outcome.OK:
        return good
    value, low, high, doubt = True, bool(good.low), True, good.doubt
    for objective in objectives:
        test = OPERATORS[objective.operator]
        samples = list(SAMPLERS[objective.measure](history, story))
        if not samples and _should_have(objective.measure, story):
            low, doubt = False, doubt or Doubt.OBJECTIVE
        for sample in samples:
            value = value and test(sample.value, objective.bound_s)
            low = low and test(sample.high, objective.bound_s)
            high = high and test(sample.low, objective.bound_s)
    return Sample(story.id, float(value), float(low), float(high), doubt)


def _should_have(measure: str, story: Story) -> bool:
    """Whether a whole answer has such a value, known or not: one of a single token has no time per token."""
    tokens = story.call.output_tokens
    return measure != "tpot" or tokens is None or tokens > 1


def contents(history: History, story: Story, time_s: float) -> Sample:
    """1 when the call is ok within a time, a half within four times of it, else 0: what apdex is the mean of."""
    ok = has_outcome(story, Outcome.OK)
    if story.outcome is not Outcome.OK:
        return ok
    took = next(iter(_e2e(history, story)))
    value, low, high = (
        1.0 if bound <= time_s else 0.5 if bound <= 4 * time_s else 0.0 for bound in (took.value, took.high, took.low)
    )
    return Sample(story.id, value, low * ok.low, high, ok.doubt)


def _overhead(history: History, story: Story) -> Iterable[Sample]:
    """Between two processes, so it is only as sure as both were on time, and as their clocks agree."""
    if story.source is None or not story.answered or story.answer_at is None:
        return ()
    sent = story.source.sent
    left_at = sent.first_content_at if story.call.stream else sent.end_at
    if left_at is None:
        return ()
    late_s = history.worst_lag_s(left_at, story.answer_at)
    apart_s = 0.0 if history.claims.external else history.timeline.clock_error_s
    value, doubt = story.answer_at - left_at, Doubt.CLOCKS if apart_s > late_s else None
    return (Sample(story.id, value, value - late_s - apart_s, value + late_s + apart_s, doubt),)


def _added_delay(history: History, story: Story) -> Iterable[Sample]:
    """Of each exchange that a fault hit: what its two edges differ by, as sure as the proxy was on time."""
    hit = [exchange for exchange in story.exchanges if story.hits_on(exchange)]
    times = [(exchange.received.first_content_at, exchange.sent.first_content_at) for exchange in hit]
    samples = []
    for came_at, left_at in times:
        if came_at is not None and left_at is not None:
            late_s = history.worst_lag_s(came_at, left_at)
            samples.append(Sample(story.id, left_at - came_at, left_at - came_at - late_s, left_at - came_at + late_s))
    return tuple(samples)


# ------------------------------------------------------------------------------------------------- tokens, exchanges


def _usage_error(_: History, story: Story) -> Iterable[Sample]:
    reported, expected = story.call.output_tokens, story.call.expected_tokens
    if not expected or (reported is None and story.outcome not in ANSWERED):
        return ()
    if reported is None:
        return (Sample.sure(story.id, 1.0),)  # nobody can bill what is not told
    return (Sample.sure(story.id, abs(reported - expected) / expected),)


def _count(story: Story, count: int) -> Sample:
    """Something that a call does now and then, and may do again as long as it has not ended."""
    if story.outcome is Outcome.UNFINISHED:
        return Sample(story.id, float(count), float(count), math.inf, Doubt.UNFINISHED)
    return Sample.sure(story.id, float(count))


def _retries(history: History, story: Story) -> Iterable[Sample]:
    """A request at an entry listener of ours is the call itself, where others stand behind it."""
    behind = sum(exchange.listener != history.claims.entry for exchange in story.exchanges)
    return (_count(story, max((behind or len(story.exchanges)) - 1, 0)),)


def _abandoned(_: History, story: Story) -> Iterable[Sample]:
    limit = story.end_at + ABANDON_GRACE_S
    late = [
        exchange for exchange in story.exchanges if exchange.began_at > limit or (exchange.sent.end_at or 0) > limit
    ]
    return (_count(story, len(late)),)


def retries_too_early(story: Story) -> list[tuple[ExchangeRecord, ExchangeRecord]]:
    """Those of one call."""
    return pairs_too_early(story.exchanges)


def pairs_too_early(exchanges: Sequence[ExchangeRecord]) -> list[tuple[ExchangeRecord, ExchangeRecord]]:
    """Pairs of exchanges at one listener, the second begun before the Retry-After of the first had passed."""
    pairs = []
    for index, later in enumerate(exchanges):
        for earlier in exchanges[:index]:
            told_at = earlier.sent.head_at
            if earlier.listener != later.listener or told_at is None or earlier.sent.retry_after_s is None:
                continue
            if told_at <= later.began_at < told_at + earlier.sent.retry_after_s - RETRY_AFTER_TOLERANCE_S:
                pairs.append((earlier, later))
                break
    return pairs


def _retry_after_ignored(_: History, story: Story) -> Iterable[Sample]:
    return (_count(story, len(retries_too_early(story))),)


SAMPLERS: Mapping[str, Sampler] = MappingProxyType(
    {
        "success": _outcome_in(Outcome.OK),
        "error_rate": _outcome_in(Outcome.ERROR, Outcome.TIMEOUT, Outcome.HUNG),
        "timeout_rate": _outcome_in(Outcome.TIMEOUT, Outcome.HUNG),
        "content_intact": _content_intact,
        "hung": _outcome_in(Outcome.HUNG),
        "silent_truncated": _outcome_in(Outcome.SILENT_TRUNCATED),
        "silent_empty": _outcome_in(Outcome.SILENT_EMPTY),
        "silent_corrupt": _outcome_in(Outcome.SILENT_CORRUPT),
        "duplicated": _outcome_in(Outcome.DUPLICATED),
        "leaked": _outcome_in(Outcome.LEAKED),
        "ttft": _ttft,
        "ttfb": _ttfb,
        "e2e": _e2e,
        "tpot": _tpot,
        "icl": _icl,
        "stall": _stall,
        "usage_error": _usage_error,
        "overhead": _overhead,
        "added_delay": _added_delay,
        "retries_per_call": _retries,
        "abandoned_upstream": _abandoned,
        "retry_after_ignored": _retry_after_ignored,
    }
)
"""How the values of one call are found, for every measure that is an aggregate over calls."""
