"""The measures of probes: how many of their runs succeeded, and their values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from chaosproxy.steady_state.findings import ProbeAccount
from chaosproxy.steady_state.observation import Observation, Sample, aggregated, needed_samples
from chaosproxy.steady_state.timeline import Unknowable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chaosproxy.journal.records import Probed
    from chaosproxy.steady_state.claims import Expectation, PlannedProbe, Window
    from chaosproxy.steady_state.history import History
    from chaosproxy.steady_state.timeline import Span


def success(history: History, expectation: Expectation, window: Window) -> Observation:
    """The share of runs that succeeded; one that could not look, or failed after the window, may have been either."""
    span, runs = _runs(history, expectation, window)
    why = _blind(runs) or _late(runs, span)
    return _observed(span, expectation, why, "mean", [_succeeded(run, span) for run in runs])


def value(history: History, expectation: Expectation, window: Window) -> Observation:
    """An aggregate over the values of all runs; of one that failed without a value it may have been anything."""
    span, runs = _runs(history, expectation, window)
    samples = [sample for run in runs for sample in _value(run)]
    why = _blind(runs) or _mute(runs)
    if all(run.value is None for run in runs):
        raise Unknowable(why or f"no run of probe {expectation.expect.argument!r} in {span.text!r} had a value")
    return _observed(span, expectation, why, expectation.expect.aggregate or "mean", samples)


def _runs(history: History, expectation: Expectation, window: Window) -> tuple[Span, list[Probed]]:
    probe, span = expectation.expect.argument, history.timeline.span(window)
    runs = [run for run in history.probes if run.probe == probe and run.at in span]
    if not runs:
        raise Unknowable(f"probe {probe!r} did not run in the window {span.text!r}")
    return span, runs


def _succeeded(run: Probed, span: Span) -> Sample:
    if run.outcome == "unknown" or _failed_later(run, span):
        return Sample(run.probe, 0.0, 0.0, 1.0)
    return Sample.sure(run.probe, float(run.outcome == "ok"))


def _failed_later(run: Probed, span: Span) -> bool:
    """It began in the window, and what made it fail may have come after it."""
    return run.outcome == "failed" and run.at + run.took_s >= span.end


def _value(run: Probed) -> Iterable[Sample]:
    if run.value is not None:
        return (Sample.sure(run.probe, run.value),)
    return () if run.outcome == "ok" else (Sample(run.probe, math.nan, -math.inf, math.inf),)


def _observed(
    span: Span, expectation: Expectation, unknown: str, aggregate: str, samples: Sequence[Sample]
) -> Observation:
    low = aggregated(aggregate, [sample.low for sample in samples])
    high = aggregated(aggregate, [sample.high for sample in samples])
    known = [sample.value for sample in samples if sample.low == sample.high]
    seen = aggregated(aggregate, known) if known else None
    needed = needed_samples(aggregate) if expectation.min_samples is None else expectation.min_samples
    why = unknown if low != high else ""
    if len(samples) < needed:
        why, low, high = f"{len(samples)} samples, it needs {needed}", -math.inf, math.inf
    return Observation(span.text, span, seen, low, high, len(samples), why)


def _blind(runs: Sequence[Probed]) -> str:
    """How many could not look, and the first reason."""
    blind = [run for run in runs if run.outcome == "unknown"]
    return f"{len(blind)} of {len(runs)} runs could not look: {blind[0].detail}" if blind else ""


def _late(runs: Sequence[Probed], span: Span) -> str:
    late = [run for run in runs if _failed_later(run, span)]
    return f"{len(late)} of {len(runs)} runs failed when the window was over: {late[0].detail}" if late else ""


def _mute(runs: Sequence[Probed]) -> str:
    mute = [run for run in runs if run.outcome == "failed" and run.value is None]
    return f"{len(mute)} of {len(runs)} runs failed without a value: {mute[0].detail}" if mute else ""


def first_failure(history: History, probe: str, span: Span | None = None) -> str:
    """``at 5.2s: status 503``, of the whole run or of one window; empty when no run failed."""
    failed = (
        run
        for run in history.probes
        if run.probe == probe and run.outcome == "failed" and (span is None or run.at in span)
    )
    run = next(failed, None)
    if run is None:
        return ""
    at_s = history.timeline.since_origin(run.at)
    return run.detail if at_s is None else f"at {at_s:.1f}s: {run.detail}"


def account_of_probe(history: History, probe: PlannedProbe) -> ProbeAccount:
    """What a probe saw, over all its runs."""
    runs = [run for run in history.probes if run.probe == probe.id]
    known = [run for run in runs if run.outcome != "unknown"]
    values = [run.value for run in runs if run.value is not None]
    return ProbeAccount(
        id=probe.id,
        kind=probe.kind,
        runs=len(runs),
        blind=len(runs) - len(known),
        share_ok=sum(run.outcome == "ok" for run in known) / len(known) if known else None,
        last_value=values[-1] if values else None,
        blind_why=next((run.detail for run in runs if run.outcome == "unknown"), ""),
        first_failure=first_failure(history, probe.id),
    )
