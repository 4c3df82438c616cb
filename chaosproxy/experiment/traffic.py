"""How much traffic a fault is expected to meet, before anything runs.

A model of the usual gateway, good enough to warn: backends without the role ``fallback`` share all calls; a fallback
gets a call only while a fault keeps every other backend from answering it. Retries are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from chaosproxy.events import Exchange
from chaosproxy.experiment.topology import LabBackend
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.plan.decision import SPARED
from chaosproxy.steady_state.cohorts import request_of
from chaosproxy.steady_state.spending import PER
from chaosproxy.wire.dialects import dialect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chaosproxy.experiment.entries import FaultEntry
    from chaosproxy.experiment.load_settings import LoadSpec
    from chaosproxy.experiment.model import Experiment
    from chaosproxy.experiment.timeline import Span

FALLBACK = "fallback"
"""The role of a backend that is asked when no other can answer."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """What one fault is expected to meet: requests at its targets while it acts, those that it is for, and its hits."""

    requests: float
    matching: float
    hits: float
    why_not: str | None = None
    """Why no request of the load is one that the fault is for."""


def meeting(experiment: Experiment, span: Span) -> Meeting:
    """What a fault is expected to meet."""
    requests = matching = 0.0
    why_not: str | None = None
    for load in experiment.loads:
        asked = sum(requests_at(experiment, load, target, span.at_s, span.end_s) for target in span.targets)
        asked *= _duty(span.fault)
        part, refusal = _matching_part(experiment, span, load)
        requests += asked
        matching += asked * part
        why_not = why_not or refusal
    hits = _counted(span.fault, matching) * span.fault.share
    if isinstance(span.fault.do, Toxic):
        hits *= span.fault.do.toxicity
    if span.fault.max_hits is not None:
        hits = min(hits, span.fault.max_hits)
    return Meeting(requests, matching, hits, why_not if matching == 0 else None)


def calls_between(experiment: Experiment, load: LoadSpec, start_s: float, end_s: float) -> float:
    """Calls of a load that are meant to be sent from ``start_s`` to ``end_s`` (t = 0: the end of the warm-up)."""
    timeline = experiment.timeline
    here_s = 0.0 if load.calls else -timeline.warmup
    left = float(load.calls) if load.calls else float("inf")
    calls = 0.0
    for rate, lasts_s in load.arrival.stages(-here_s, timeline.lasts):
        until_s = min(here_s + lasts_s, here_s + left / rate)
        left -= rate * (until_s - here_s)
        calls += rate * max(0.0, min(until_s, end_s) - max(here_s, start_s))
        here_s += lasts_s
    return calls


def planned_requests(experiment: Experiment) -> float:
    """Calls that are planned from the warm-up on; each costs a request, or more."""
    timeline = experiment.timeline
    return sum(load.expected_calls(timeline.warmup, timeline.lasts) * load.requests_each for load in experiment.loads)


def planned_tokens(experiment: Experiment) -> float:
    """Tokens of the answers to them, as many as each may have."""
    return sum(calls * tokens for _, calls, tokens in _planned_answers(experiment))


def planned_cost(experiment: Experiment) -> float | None:
    """What these cost; None without prices."""
    prices = experiment.safety.price_list()
    if prices is None:
        return None
    priced = [(prices.of(model), calls * tokens) for model, calls, tokens in _planned_answers(experiment)]
    return sum(tokens * price.output / PER for price, tokens in priced if price is not None)


def _planned_answers(experiment: Experiment) -> Iterator[tuple[str, float, int]]:
    """Model, calls and tokens of an answer."""
    timeline = experiment.timeline
    for load in experiment.loads:
        if load.journey:
            continue  # what its requests cost nobody can say
        calls = load.expected_calls(timeline.warmup, timeline.lasts) / len(load.request.model)
        tokens = tokens_of(experiment, load)
        for model in load.request.model:
            yield model, calls, load.request.max_tokens if tokens is None else tokens


def part_of_cohort(experiment: Experiment, load: LoadSpec, cohort: str | None) -> float:
    """The part of a load's calls that an expectation looks at: the control cohort's, or all others'."""
    if experiment.control is None:
        return 1.0
    match, request = experiment.control.match, load.request
    headers = tuple(request.headers.items())
    asked = [request_of(request.api, model, headers, stream=request.stream) for model in request.model]
    spared = sum(match.why_not(each) is None for each in asked) / len(asked)
    return spared if cohort == "control" else 1 - spared


def requests_at(experiment: Experiment, load: LoadSpec, backend: str, start_s: float, end_s: float) -> float:
    """Requests of a load that reach a backend's listener from ``start_s`` to ``end_s``."""
    spans = experiment.spans()
    cuts = sorted(
        {start_s, end_s, *(edge for span in spans for edge in (span.at_s, span.end_s) if start_s < edge < end_s)}
    )
    return sum(
        calls_between(experiment, load, start, end) * _part_of_traffic(experiment, spans, backend, start)
        for start, end in pairwise(cuts)
    )


def answer_s(experiment: Experiment, load: LoadSpec) -> float | None:
    """How long an answer takes without faults at the slowest backend; None unless all are the lab's."""
    systems = _lab_backends(experiment)
    times = [
        system.answer_s(model, min(system.tokens, load.request.max_tokens))
        for system in systems
        for model in load.request.model
    ]
    return max(times, default=None)


def tokens_of(experiment: Experiment, load: LoadSpec) -> int | None:
    """How many tokens the longest answer has; None unless all backends are the lab's."""
    lengths = [min(system.tokens, load.request.max_tokens) for system in _lab_backends(experiment)]
    return max(lengths, default=None)


def _lab_backends(experiment: Experiment) -> list[LabBackend]:
    """The systems behind all backends; nothing when one of them is not the lab's."""
    systems = [experiment.systems.get(backend.upstream) for backend in experiment.topology.spoken.values()]
    lab = [system for system in systems if isinstance(system, LabBackend)]
    return lab if len(lab) == len(systems) else []


def drives_away(fault: FaultEntry) -> float:
    """The part of the requests that find no answer at the fault's targets, before the first content."""
    if isinstance(fault.do, Toxic):
        return fault.do.toxicity if fault.do.type in _CUTTING else 0.0
    if fault.do.stops_upstream or fault.do.gate() is not None or fault.do.type in _NEVER_ANSWERED:
        return fault.share
    where = getattr(fault.do, "where", None)
    return fault.share if where is not None and getattr(where, "count", 1) == 0 and where.unit == "token" else 0.0


_CUTTING = ("toxic.timeout", "toxic.reset_peer", "toxic.down")
_NEVER_ANSWERED = ("conn.lost_response", "partition")


def regular_backends(experiment: Experiment) -> list[str]:
    """Backends that get traffic without any fault."""
    backends = experiment.topology.spoken
    regular = [name for name, backend in backends.items() if backend.role != FALLBACK]
    return regular or list(backends)


def _part_of_traffic(experiment: Experiment, spans: Iterable[Span], backend: str, at_s: float) -> float:
    regular = regular_backends(experiment)
    if backend not in experiment.topology.spoken:
        return 0.0
    if backend in regular:
        return 1 / len(regular)
    away = 1.0
    for name in regular:
        answered = 1.0
        for span in spans:
            if name in span.targets and span.at_s <= at_s < span.end_s:
                answered *= 1 - drives_away(span.fault)
        away *= 1 - answered
    return away / (len(experiment.topology.spoken) - len(regular))


def _matching_part(experiment: Experiment, span: Span, load: LoadSpec) -> tuple[float, str | None]:
    """The part of a load's requests that the fault is for, and why the others are not."""
    request, control = load.request, experiment.control
    if load.journey:
        return 1.0, None  # which of its requests reach whom, the system decides
    match, callers = span.fault.match, span.fault.match.key_share
    if callers is not None:  # which ones these are is known when they come
        match = match.model_copy(update={"key_share": None, "key_header": None})
    refusals = [
        (SPARED if control is not None and control.match.why_not(each) is None else None)
        or match.why_not(each)
        or span.fault.do.lacks(each)
        for each in (
            Exchange(
                id="planned",
                listener=target,
                ordinal=1,
                method="POST",
                path=dialect(request.api).request_path(model, stream=request.stream).partition("?")[0],
                dialect=_dialect(experiment, target, request.api),
                model=model,
                stream=request.stream,
                headers=tuple(request.headers.items()),
            )
            for model in request.model
            for target in span.targets
        )
    ]
    part = (1.0 if callers is None else callers) * refusals.count(None) / len(refusals)
    return part, next((refusal for refusal in refusals if refusal), None)


def _dialect(experiment: Experiment, backend: str, api: str) -> str:
    spoken = experiment.topology.backends[backend].dialect
    return api if spoken == "auto" else spoken


def _duty(fault: FaultEntry) -> float:
    return 1.0 if fault.flap is None else fault.flap.down / (fault.flap.down + fault.flap.up)


def _counted(fault: FaultEntry, matching: float) -> float:
    match = fault.match
    left = max(0.0, matching - (match.skip or 0))
    if match.first is not None:
        left = min(left, match.first)
    if match.nth is not None:
        return 1.0 if left >= match.nth else 0.0
    return left / match.each if match.each else left
