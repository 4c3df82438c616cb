"""Checks of ``faults``: targets, order, times, and what the gate, the rules and ``safety`` allow."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pydantic import ValidationError

from chaosproxy.experiment.draft import Draft, Found
from chaosproxy.experiment.references import hint
from chaosproxy.experiment.rules import rule_of
from chaosproxy.experiment.timeline import end_of, planned_begins, targets_of
from chaosproxy.experiment.toxics import leaves_no_trace, why_uncounted
from chaosproxy.faults import REGISTRY
from chaosproxy.faults.base import Gate
from chaosproxy.units import format_duration, format_share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaosproxy.experiment.entries import FaultEntry
    from chaosproxy.experiment.yaml_text import Path

_TOLERANCE_S = 1e-9


def fault_problems(draft: Draft) -> Iterator[Found]:
    """Everything that is wrong with the faults."""
    begins = planned_begins(draft.experiment.faults, draft.experiment.timeline.faults_end_s)
    seen: set[str] = set()
    for path, fault in draft.faults():
        yield from _targets(draft, path, fault)
        yield from _rule(draft, path, fault)
        if fault.id in seen:
            yield Found((*path, "id"), f"two faults are called {fault.id!r}")
            continue
        seen.add(fault.id)
        yield from _order(draft, path, fault, begins[fault.id])
        yield from _safety(draft, path, fault, begins[fault.id])
    yield from _forbidden_names(draft)


def _targets(draft: Draft, path: Path, fault: FaultEntry) -> Iterator[Found]:
    known = [*draft.backends, *draft.roles]
    for word in fault.target:
        if word not in known:
            names = ", ".join(dict.fromkeys(known))
            yield Found((*path, "target"), f"no backend or role is called {word!r}{hint(word, known)}; known: {names}")


def _rule(draft: Draft, path: Path, fault: FaultEntry) -> Iterator[Found]:
    control = draft.experiment.control
    try:
        rule = rule_of(fault, fault.target, fault.lasts, None if control is None else control.match)
        backends = draft.experiment.topology.backends
        ports = [name for name in targets_of(draft.experiment, fault) if backends[name].is_tcp]
        if ports and (words := rule.why_not_on_tcp) is not None:
            yield Found(path, f"{ports[0]} is a TCP port: {words}")
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            yield Found(path, str(each.get("ctx", {}).get("error", each["msg"])))
    if leaves_no_trace(draft.experiment, fault) and "min_hits" in fault.model_fields_set and fault.min_hits:
        why = why_uncounted(draft.experiment, fault)
        refused = "a refused connection leaves no trace: its hits cannot be counted"
        yield Found((*path, "min_hits"), refused if fault.do.gate() is Gate.REFUSE else f"it {why}")


def _order(draft: Draft, path: Path, fault: FaultEntry, at_s: float | None) -> Iterator[Found]:
    if fault.follows is not None and fault.follows not in draft.fault_ids:
        known = [each for each in draft.fault_ids if each != fault.id]
        yield Found((*path, "after"), f"no fault is called {fault.follows!r}{hint(fault.follows, known)}")
    elif at_s is None:
        if _circle(draft, fault):
            yield Found((*path, "after"), f"{fault.id} waits for itself: {' -> '.join(_circle(draft, fault))}")
    else:
        yield from _times(draft, path, fault, at_s)


def _circle(draft: Draft, fault: FaultEntry) -> list[str]:
    known = {each.id: each for _, each in draft.faults()}
    names = [fault.id]
    here = fault
    while here.follows in known:
        here = known[here.follows]
        names.append(here.id)
        if here.id == fault.id:
            return names
        if here.id in names[:-1]:
            return []  # it waits for a circle that it is not part of; said there
    return []


def _times(draft: Draft, path: Path, fault: FaultEntry, at_s: float) -> Iterator[Found]:
    timeline, gate = draft.experiment.timeline, draft.experiment.gate
    key = (*path, "at" if fault.after is None else "after")
    planned, end = format_duration(round(at_s, 3)), format_duration(timeline.faults_end_s)
    which = "the quiet tail begins" if timeline.quiet_tail else "the timeline ends"
    if at_s >= timeline.faults_end_s:
        yield Found(key, f"it would begin at {planned}, but {which} at {end}")
    elif (until_s := end_of(fault, at_s, draft.experiment)) > timeline.faults_end_s + _TOLERANCE_S:
        until = format_duration(round(until_s, 3))
        yield Found((*path, "lasts"), f"it would last from {planned} to {until}, but {which} at {end}")
    if gate is not None and at_s < gate.window:
        window = format_duration(gate.window)
        yield Found(key, f"it would begin at {planned}, while the gate still looks (its window is {window})")


def _safety(draft: Draft, path: Path, fault: FaultEntry, at_s: float | None) -> Iterator[Found]:
    safety = draft.experiment.safety
    if fault.share > safety.max_share:
        key = (*path, "share") if "share" in fault.model_fields_set else path
        shares = f"{format_share(fault.share)}, safety.max_share is {format_share(safety.max_share)}"
        yield Found(key, f"share is {shares}")
    if safety.max_lasts is not None and at_s is not None:
        lasts_s = end_of(fault, at_s, draft.experiment) - at_s
        if lasts_s > safety.max_lasts + _TOLERANCE_S:
            key = (*path, "lasts") if fault.lasts is not None else path
            limit = format_duration(safety.max_lasts)
            yield Found(key, f"it lasts {format_duration(round(lasts_s, 3))}, safety.max_lasts is {limit}")
    for glob in safety.forbid:
        if fnmatchcase(fault.do.type, glob):
            yield Found((*path, "do", "type"), f"{fault.do.type} is forbidden by safety.forbid ({glob})")


def _forbidden_names(draft: Draft) -> Iterator[Found]:
    known = [kind.type for kind in REGISTRY]
    for index, glob in enumerate(draft.experiment.safety.forbid):
        if not any(fnmatchcase(name, glob) for name in known):
            yield Found(("safety", "forbid", index), f"no fault is called {glob!r}{hint(glob, known)}")
