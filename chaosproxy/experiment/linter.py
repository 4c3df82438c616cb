"""Warnings about a file that is valid and may still not mean what its author wants; `chaosproxy plan` prints them."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from chaosproxy.experiment.draft import Draft, Found
from chaosproxy.experiment.timeline import planned_time
from chaosproxy.experiment.toxics import leaves_no_trace, why_unknown
from chaosproxy.experiment.traffic import (
    answer_s,
    calls_between,
    drives_away,
    meeting,
    part_of_cohort,
    regular_backends,
    tokens_of,
)
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.steady_state.observation import needed_samples
from chaosproxy.steady_state.vocabulary import MEASURES, Needs, percentile
from chaosproxy.units import format_duration, format_share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaosproxy.errors import Problem
    from chaosproxy.experiment.entries import ExpectationEntry, FaultEntry
    from chaosproxy.experiment.model import Experiment
    from chaosproxy.experiment.timeline import Span
    from chaosproxy.experiment.yaml_text import Document, Path
    from chaosproxy.steady_state.claims import Window

_CERTAIN = 2.0
"""Standard deviations by which expected hits must exceed ``min_hits``."""
_LATENCIES = ("ttft", "ttfb", "e2e")
_JOINED = ("leaked",)
"""Measures of the client edge that need a call tag, beside all measures of exchanges."""


def lint(experiment: Experiment, document: Document) -> list[Problem]:
    """All findings in the order of the file; ``document`` is what the experiment was read from, for the places.

    Of traffic that is not ours nobody knows how much there will be.
    """
    draft = Draft(experiment, document.plain())
    spans = {span.fault.id: span for span in experiment.spans()}
    found: list[Found] = []
    for path, fault in draft.faults():
        if experiment.external is None:
            found += [*_meets_nobody(experiment, path, spans[fault.id]), *_never_reached(experiment, path, fault)]
        found += [*_undetectable(experiment, path, fault), *_unknowable_hits(experiment, path, fault)]
    for path, entry in draft.hypothesis():
        if experiment.external is None:
            found += [*_samples(experiment, path, entry), *_contradicts_failover(experiment, path, entry)]
            found += [*_open_streams(experiment, path, entry), *_untagged(experiment, path, entry)]
        found += [*_no_time_to_recover(experiment, path, entry), *_goes_on(experiment, path, entry)]
    found += _no_room_to_heal(experiment)
    problems = [document.problem(*each) for each in found]
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


# -------------------------------------------------------------------------------------------------------------- faults


def _meets_nobody(experiment: Experiment, path: Path, span: Span) -> Iterator[Found]:
    fault, expected = span.fault, meeting(experiment, span)
    if leaves_no_trace(experiment, fault) or not fault.min_hits:
        return
    backends = experiment.topology.backends
    if any(backends[target].is_tcp for target in span.targets):
        return  # who connects there, and how often, is not the load's business
    if expected.requests < 1:
        yield Found((*path, "target"), f"this fault may meet nobody: {_no_traffic(experiment, span)}")
    elif expected.why_not is not None:
        yield Found((*path, "match"), f"this fault may meet nobody: {expected.why_not}")
    elif expected.hits - _CERTAIN * sqrt(expected.hits) < fault.min_hits:
        key = (*path, "min_hits") if "min_hits" in fault.model_fields_set else path
        hits = f"about {_count(expected.hits)} hits are expected, min_hits is {fault.min_hits}"
        yield Found(key, f"{hits}: the run may be inconclusive")


def _no_traffic(experiment: Experiment, span: Span) -> str:
    regular = regular_backends(experiment)
    when = f"from {format_duration(round(span.at_s, 3))} to {format_duration(round(span.end_s, 3))}"
    if any(target in regular for target in span.targets):
        return f"the load sends less than one call {when}"
    names, others = ", ".join(span.targets), ", ".join(regular)
    mend = f"let it overlap with a fault that keeps {others} from answering"
    return f"{names} is a fallback, and nothing keeps traffic on it {when}; {mend}"


def _never_reached(experiment: Experiment, path: Path, fault: FaultEntry) -> Iterator[Found]:
    where = getattr(fault.do, "where", None)
    if where is None or where.unit != "token":
        return
    longest = [tokens for load in experiment.loads if (tokens := tokens_of(experiment, load)) is not None]
    if len(longest) == len(experiment.loads) and max(longest) < where.count:
        yield Found((*path, "do", "where"), f"the answers have {max(longest)} tokens: {where} is never reached")


def _unknowable_hits(experiment: Experiment, path: Path, fault: FaultEntry) -> Iterator[Found]:
    if fault.min_hits and (why := why_unknown(experiment, fault)):
        yield Found((*path, "do"), f"{why}: the run will be inconclusive, unless min_hits is 0")


def _undetectable(experiment: Experiment, path: Path, fault: FaultEntry) -> Iterator[Found]:
    plain_chat = any(load.request.api == "openai.chat" and load.request.stream for load in experiment.loads)
    if fault.do.type != "sse.drop" or not plain_chat:
        return
    if "usage" in getattr(fault.do, "never", ()):
        words = "only one who compares the text with the reported usage can notice"
    else:
        words = "and usage may be lost as well: then nobody can notice"
    yield Found((*path, "do"), f"an OpenAI chat stream shows no gap where an event is lost; {words}")


# -------------------------------------------------------------------------------------------------------- expectations


def _samples(experiment: Experiment, path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    measure = MEASURES[entry.expect.measure]
    needed = entry.min_samples or needed_samples(entry.expect.aggregate)
    if needed == 1 or measure.needs in (Needs.FAULT, Needs.PROBE, Needs.RUN) or measure.name == "icl":
        return
    for window in entry.over:
        span = _planned(experiment, window)
        if span is None:
            continue
        expected = _open_at(experiment, span[0]) if entry.cohort == "in_flight" else _calls(experiment, *span, entry)
        if expected is not None and expected < needed:
            share = percentile(entry.expect.aggregate or "")
            why = f"{entry.expect.aggregate} needs" if share and entry.min_samples is None else "min_samples is"
            words = f"about {_count(expected)} calls are expected in the window {window.text!r}, {why} {needed}"
            yield Found((*path, "expect"), f"{words}: the run may be inconclusive")


def _contradicts_failover(experiment: Experiment, path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    share = percentile(entry.expect.aggregate or "")
    if entry.expect.measure not in _LATENCIES or share is None:
        return
    for window in entry.over:
        for fault_id, bound_s in _failovers(experiment).items():
            begin = next((span.at_s for span in experiment.spans() if span.fault.id == fault_id), None)
            planned = _planned(experiment, window)
            if begin is None or planned is None or not planned[0] <= begin < planned[1]:
                continue
            waiting = _calls(experiment, begin, begin + bound_s)
            allowed = (1 - share) * _calls(experiment, *planned)
            if bound_s > entry.expect.value and waiting > allowed:
                apart = f"{fault_id}.applied+{format_duration(bound_s)}..{fault_id}.healed"
                spare = f"{entry.expect.aggregate} leaves {_count(allowed)}"
                words = (
                    f"about {_count(waiting)} calls may wait for the fallback, {spare}; look at steady and {apart!r}"
                )
                yield Found((*path, "expect"), f"it contradicts failover_time({fault_id}): {words} instead")


def _failovers(experiment: Experiment) -> dict[str, float]:
    """How long each failover may take, as the hypothesis says."""
    return {
        entry.expect.argument: entry.expect.value
        for entry in experiment.hypothesis
        if entry.expect.measure == "failover_time" and entry.expect.argument is not None
    }


def _open_streams(experiment: Experiment, path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    if entry.expect.measure != "success" or entry.expect.operator not in (">", ">=", "==") or entry.cohort is not None:
        return
    for window in entry.over:
        planned = _planned(experiment, window)
        for span in experiment.spans():
            if planned is None or not planned[0] <= span.at_s < planned[1] or not _cuts_open(experiment, span):
                continue
            cut, calls = _open_at(experiment, span.at_s), _calls(experiment, *planned)
            if cut is not None and cut >= 1 and cut / calls > 1 - entry.expect.value:
                words = f"about {_count(cut)} calls are open when {span.fault.id} begins, and it cuts them"
                bound = format_share(entry.expect.value)
                mend = "say cohort: new here, and claim something of its own for in_flight"
                yield Found((*path, "expect"), f"{words}; {bound} of {_count(calls)} does not allow that; {mend}")


def _cuts_open(experiment: Experiment, span: Span) -> bool:
    """Whether it ends streams that were open at its begin; one that only stalls them may be waited out."""
    everything = set(regular_backends(experiment)) <= set(span.targets)
    if isinstance(span.fault.do, Toxic):
        return everything and drives_away(span.fault) == 1
    cuts = getattr(span.fault.do, "live_streams", None) == "cut" or span.fault.do.type in ("stream.reset", "stream.fin")
    reaches = span.fault.do.reaches_open or span.fault.streams == "all"
    return everything and cuts and reaches and span.fault.share == 1


def _untagged(experiment: Experiment, path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    measure = MEASURES[entry.expect.measure]
    joined = measure.needs is Needs.EXCHANGES and measure.name != "upstream_requests"
    if not joined and measure.name not in _JOINED:
        return
    loads = [load for load in experiment.loads if entry.load in (None, load.id)]
    if pooled := ", ".join(load.id for load in loads if load.pool is not None):
        words = f"prompts of a pool carry no call tag (load {pooled})"
        yield Found((*path, "expect"), f"{words}, so {measure.name} cannot be known for them unless headers join them")
    if joined and (walked := ", ".join(load.id for load in loads if load.journey)):
        words = f"steps of a journey carry no call tag (load {walked})"
        yield Found((*path, "expect"), f"{words}, so {measure.name} cannot be known for them; let load be another one")


def _no_time_to_recover(experiment: Experiment, path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    if entry.expect.measure != "recovery_time":
        return
    span = next((span for span in experiment.spans() if span.fault.id == entry.expect.argument), None)
    held_s = 0.0 if entry.sustained is None else entry.sustained.for_
    if span is None:
        return
    left_s = experiment.timeline.lasts - span.end_s
    if left_s < entry.expect.value + held_s:
        left, wanted = format_duration(round(left_s, 3)), format_duration(entry.expect.value + held_s)
        words = f"{left} are left after {span.fault.id} heals, and this may need {wanted}"
        yield Found((*path, "expect"), f"{words}: let the timeline last longer")


def _goes_on(experiment: Experiment, path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    over_s = experiment.timeline.lasts
    for window in entry.over:
        end_s = planned_time(experiment, window.end)
        if end_s is not None and round(end_s - over_s, 6) > 0:
            words = f"the window {window.text!r} ends {format_duration(round(end_s - over_s, 3))} after"
            yield Found((*path, "over"), f"{words} the end of the timeline: the run may be inconclusive")


def _no_room_to_heal(experiment: Experiment) -> Iterator[Found]:
    gate, heal, spans = experiment.gate, experiment.heal, experiment.spans()
    if gate is None or "gate" not in heal.verify or not spans:
        return
    left_s = min(heal.within, experiment.timeline.lasts - max(span.end_s for span in spans))
    if left_s < gate.window:
        left, wanted = format_duration(round(max(left_s, 0.0), 3)), format_duration(gate.window)
        words = f"the gate looks at {wanted}, and {left} are left for it after the last fault"
        mend = "let timeline.quiet_tail be longer, or heal.verify empty"
        yield Found(("heal", "verify"), f"{words}: whether the system is well again may not be seen; {mend}")


def _count(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"


def _planned(experiment: Experiment, window: Window) -> tuple[float, float] | None:
    start, end = planned_time(experiment, window.start), planned_time(experiment, window.end)
    return None if start is None or end is None else (start, end)


def _calls(experiment: Experiment, start_s: float, end_s: float, entry: ExpectationEntry | None = None) -> float:
    cohort, of = (None, None) if entry is None else (entry.cohort, entry.load)
    loads = [load for load in experiment.loads if of in (None, load.id)]
    parts = [(load, part_of_cohort(experiment, load, cohort)) for load in loads]
    return sum(calls_between(experiment, load, start_s, end_s) * part for load, part in parts)


def _open_at(experiment: Experiment, at_s: float) -> float | None:
    """Calls in flight at a moment, by Little's law; None when it is not known how long an answer takes."""
    known = [(load, seconds) for load in experiment.loads if (seconds := answer_s(experiment, load)) is not None]
    if len(known) < len(experiment.loads):
        return None
    return sum(calls_between(experiment, load, at_s - seconds, at_s) for load, seconds in known)
