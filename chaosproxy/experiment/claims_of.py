"""What a file claims, as the plain values that the verdict is computed from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from chaosproxy.experiment.timeline import planned
from chaosproxy.experiment.topology import LabAvailability, LabBackend
from chaosproxy.experiment.toxics import leaves_no_trace, why_unknown
from chaosproxy.steady_state.claims import Abort, Claims, Expectation, Moment, PlannedFault, PlannedProbe, Sustained
from chaosproxy.steady_state.cohorts import ControlCohort
from chaosproxy.steady_state.expression import parse_expression
from chaosproxy.units import format_duration

if TYPE_CHECKING:
    from chaosproxy.experiment.entries import AbortEntry, ExpectationEntry
    from chaosproxy.experiment.model import Experiment
    from chaosproxy.experiment.timeline import Span
    from chaosproxy.experiment.topology import System

_LISTENER = re.compile(r"\$\{listener\.([^{}]+)\}")

MELTDOWN = Abort(parse_expression("error_rate > 50%"), for_s=5.0, min_samples=20)
"""Ends a run whose file has no ``abort``."""
OVERRUN = 2
"""A run may take so many times its planned duration, unless its file says something about ``elapsed``."""


def claims_of(experiment: Experiment) -> Claims:
    """The input of ``judge`` beside the journal."""
    timeline, gate, safety = experiment.timeline, experiment.gate, experiment.safety
    return Claims(
        name=experiment.name,
        question=experiment.question,
        hypothesis=tuple(_expectation(entry) for entry in experiment.hypothesis),
        gate=() if gate is None else tuple(_expectation(entry) for entry in gate.expect),
        gate_window_s=0.0 if gate is None else gate.window,
        aborts=_aborts(experiment),
        faults=tuple(_fault(experiment, span) for span in planned(experiment)),
        backends=tuple(experiment.topology.spoken),
        entry=entry_of(experiment),
        leads_on=_leads_on(experiment),
        external=experiment.external is not None,
        client_timeout_s=None if experiment.external is None else experiment.external.timeout,
        oracle=_oracle(experiment),
        answered_by=_answered_by(experiment),
        warmup_s=timeline.warmup,
        lasts_s=timeline.lasts,
        quiet_tail_s=timeline.quiet_tail,
        probes=tuple(PlannedProbe(probe.id, probe.kind) for probe in experiment.probes),
        control=control_of(experiment),
        prices=safety.price_list(),
        watches_cost=safety.limits_upstreams or safety.prices is not None,
    )


def entry_of(experiment: Experiment) -> str | None:
    """The listener that clients call themselves, if nothing stands before it."""
    match = _LISTENER.match(experiment.topology.entry)
    return None if match is None else match[1]


def _upstreams(experiment: Experiment) -> list[System | None]:
    """What answers in the end, None for what is not of this run; no system that a listener of ours stands before."""
    front = entry_of(experiment) if _leads_on(experiment) else None
    spoken = experiment.topology.spoken
    return [experiment.systems.get(backend.upstream) for name, backend in spoken.items() if name != front]


def _leads_on(experiment: Experiment) -> bool:
    """Whether the listener that the load calls stands before a system of the file that calls other listeners."""
    entry = entry_of(experiment)
    backend = None if entry is None else experiment.topology.backends.get(entry)
    return backend is not None and "${listener." in repr(experiment.systems.get(backend.system))


def control_of(experiment: Experiment) -> ControlCohort | None:
    """Which calls are spared; None: the file says nothing of a control cohort."""
    if experiment.control is None:
        return None
    headers = {load.id: tuple(load.request.headers.items()) for load in experiment.loads}
    return ControlCohort(experiment.control.match, headers)


def answer_tokens(experiment: Experiment) -> int | None:
    """Tokens of an answer when all backends are the lab's and agree; else the load cannot know the right text."""
    if experiment.topology.attach is not None:
        return None
    upstreams = _upstreams(experiment)
    lengths = {system.tokens if isinstance(system, LabBackend | LabAvailability) else None for system in upstreams}
    return lengths.pop() if len(lengths) == 1 else None


def _expectation(entry: ExpectationEntry) -> Expectation:
    held = entry.sustained
    return Expectation(
        id=entry.id,
        expect=entry.expect,
        over=entry.over,
        cohort=entry.cohort,
        of=entry.of,
        sustained=None if held is None else Sustained(held.for_, held.success, held.share_of_baseline),
        min_samples=entry.min_samples,
        load=entry.load,
    )


def _aborts(experiment: Experiment) -> tuple[Abort, ...]:
    sees_calls = experiment.external is None or entry_of(experiment) is not None
    default = (MELTDOWN,) if sees_calls else ()
    aborts = tuple(_abort(entry) for entry in experiment.abort) if experiment.says_when_to_abort else default
    if any(abort.when.measure == "elapsed" for abort in aborts):
        return aborts
    limit = format_duration(OVERRUN * experiment.planned_s)
    return (*aborts, Abort(parse_expression(f"elapsed > {limit}")))


def _abort(entry: AbortEntry) -> Abort:
    return Abort(entry.when, entry.for_, entry.min_samples)


def _fault(experiment: Experiment, span: Span) -> PlannedFault:
    fault = span.fault
    return PlannedFault(
        id=fault.id,
        type=fault.do.type,
        targets=span.targets,
        min_hits=fault.min_hits,
        at_s=span.at_s if fault.after is None else None,
        lasts_s=span.lasts_s,
        follows=None if fault.after is None else Moment(fault.after, fault.delay),
        counts_hits=not leaves_no_trace(experiment, fault),
        why_unknown=why_unknown(experiment, fault),
    )


def _answered_by(experiment: Experiment) -> Literal["mock", "live"]:
    """What a proxy that was started elsewhere stands before is not ours."""
    upstreams = _upstreams(experiment)
    ours = experiment.topology.attach is None and bool(upstreams)
    return "mock" if ours and all(isinstance(system, LabBackend) for system in upstreams) else "live"


def _oracle(experiment: Experiment) -> Literal["lab", "upstream", "none"]:
    """One for all loads (``checks`` sees to it); a text that is the same for every call is known to the client, too."""
    if experiment.external is not None:
        return "none" if experiment.external.oracle == "none" else "upstream"
    oracle = experiment.loads[0].oracle
    if oracle == "auto":
        return "upstream" if answer_tokens(experiment) is None else "lab"
    return oracle if isinstance(oracle, str) else "lab"
