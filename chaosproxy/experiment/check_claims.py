"""Checks of ``hypothesis``, ``gate`` and ``abort``: arguments, windows, and where a measure makes sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaosproxy.experiment.check_external import OF_THE_RUN
from chaosproxy.experiment.draft import Draft, Found
from chaosproxy.experiment.references import hint
from chaosproxy.experiment.timeline import planned_time
from chaosproxy.experiment.toxics import why_uncounted
from chaosproxy.steady_state.expression import faults_named
from chaosproxy.steady_state.vocabulary import MEASURES, Needs, Takes
from chaosproxy.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chaosproxy.experiment.entries import ExpectationEntry
    from chaosproxy.experiment.yaml_text import Path
    from chaosproxy.steady_state.claims import Expression, Window

_CONTENT = ("silent_truncated", "silent_empty", "silent_corrupt", "content_intact", "duplicated", "leaked")
"""Measures that compare an answer with the right one."""
_JOURNEYS = ("workflow_success", "steps_done")
_NOT_OF_ONE_LOAD = ("upstream_requests", "cost")
_SAMPLES_OF_NOTHING = ("hits", "applied_late", "elapsed", *OF_THE_RUN)
_SUSTAINED = {"failover_time": "success", "recovery_time": "share_of_baseline"}
"""Measures that need ``sustained``, and the key in it that they read."""


def claim_problems(draft: Draft) -> Iterator[Found]:
    """Everything that is wrong with the claims."""
    yield from _same_ids(draft.hypothesis(), "expectations")
    yield from _same_ids(draft.gate(), "expectations")
    yield from _same_ids(draft.aborts(), "conditions")
    for path, entry in draft.hypothesis():
        yield from _expression(draft, (*path, "expect"), entry.expect)
        yield from _windows(draft, path, entry)
        yield from _sustained(path, entry)
        yield from _about_calls(path, entry)
        yield from _of_load(draft, path, entry)
    for path, entry in draft.gate():
        yield from _expression(draft, (*path, "expect"), entry.expect)
        yield from _in_gate(path, entry)
        yield from _about_calls(path, entry)
        yield from _before_faults(draft, path, entry)
    for path, condition in draft.aborts():
        yield from _expression(draft, (*path, "when"), condition.when, abort=True)


def _same_ids(entries: Iterable[tuple[Path, object]], what: str) -> Iterator[Found]:
    seen: set[str] = set()
    for path, entry in entries:
        name = str(getattr(entry, "id", ""))
        if name in seen:
            yield Found((*path, "id"), f"two {what} are called {name!r}")
        seen.add(name)


def _expression(draft: Draft, path: Path, expression: Expression, *, abort: bool = False) -> Iterator[Found]:
    measure = MEASURES[expression.measure]
    experiment = draft.experiment
    oracles = [load.oracle for load in ((experiment.external,) if experiment.external else experiment.loads)]
    if measure.name in _CONTENT and "none" in oracles:
        mend = "let load.oracle be auto, or claim error_rate and times only"
        yield Found(path, f"{measure.name} compares texts, and with oracle none nobody knows the right one; {mend}")
    known = _named(draft).get(measure.takes)
    if known is not None and expression.argument not in known:
        what = measure.takes.value
        yield Found(path, f"no {what} is called {expression.argument!r}{hint(expression.argument or '', known)}")
    for fault in draft.experiment.faults if measure.name == "hits" else ():
        if fault.id == expression.argument and (why := why_uncounted(draft.experiment, fault)):
            yield Found(path, f"{fault.id} {why}")
    yield from _of_probe(draft, path, expression)
    if measure.abort_only and not abort:
        yield Found(path, f"{measure.name} is for abort only: how long the run takes says nothing about the system")
    if measure.name == "cost" and draft.raw(("safety", "prices")) is None:
        yield Found(path, "nobody said what tokens cost; safety.prices does, or names a file that does")
    if abort and measure.name in (*_SUSTAINED, "applied_late"):
        yield Found(path, f"{measure.name} is known when the run is over; it cannot abort it")


def _named(draft: Draft) -> dict[Takes, list[str]]:
    return {Takes.FAULT: draft.fault_ids, Takes.BACKEND: draft.backends, Takes.PROBE: draft.probe_ids}


def _of_probe(draft: Draft, path: Path, expression: Expression) -> Iterator[Found]:
    """What only the probe knows: whether it has a value."""
    if expression.measure == "probe.value":
        for _, probe in draft.probes():
            if probe.id == expression.argument and not probe.gives_value:
                yield Found(path, f"probe {probe.id!r} has no value; say value: true there")


def _before_faults(draft: Draft, path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    """A gate looks before the faults, and again after them when the heal is verified."""
    for _, probe in draft.probes():
        if MEASURES[entry.expect.measure].needs is not Needs.PROBE or probe.id != entry.expect.argument:
            continue
        if probe.during in ("during", "after"):
            yield Found(
                (*path, "expect"), f"probe {probe.id!r} does not run before the faults (during: {probe.during})"
            )
        elif probe.during == "before" and draft.experiment.heal.verify:
            mend = "let during be all, or heal.verify empty"
            yield Found(
                (*path, "expect"), f"the gate must hold again after the faults, when {probe.id!r} is over; {mend}"
            )


def _in_gate(path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    if MEASURES[entry.expect.measure].needs in (Needs.FAULT, Needs.RUN):
        yield Found((*path, "expect"), f"{entry.expect.measure} has no meaning in a gate, before any fault")
    for key in ("over", "cohort", "sustained"):
        if key in entry.model_fields_set:
            yield Found((*path, key), f"{key} has no meaning in a gate; it looks at gate.window")


def _sustained(path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    name = entry.expect.measure
    if entry.sustained is None:
        return
    if name not in _SUSTAINED:
        yield Found((*path, "sustained"), f"sustained is for {' and '.join(_SUSTAINED)}, not for {name}")
        return
    key = _SUSTAINED[name]
    other = next(each for each in _SUSTAINED.values() if each != key)
    if getattr(entry.sustained, other) is not None:
        yield Found((*path, "sustained", other), f"{name} looks at {key}, not at {other}")


def _about_calls(path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    """Keys that choose calls, where that cannot be done, or where it would leave nothing to claim."""
    measure = MEASURES[entry.expect.measure]
    about, keys = _NO_CALLS.get(measure.needs, ("", ()))
    if measure.name in OF_THE_RUN:
        about, keys = f"{measure.name} is about requests", ("of",)
    for key in keys:
        if key in entry.model_fields_set:
            yield Found((*path, key), f"{key} chooses calls, and {about.format(measure.name)}")
    if measure.name in _SAMPLES_OF_NOTHING and entry.min_samples is not None:
        yield Found((*path, "min_samples"), f"{measure.name} is one number and not made of samples; leave it out")
    counts_outcomes = measure.needs is Needs.CLIENT and not measure.sampled and measure.value_of is None
    if counts_outcomes and entry.of == "completed":
        words = f"completed calls are the ok ones, so {measure.name} would tell nothing about the others"
        yield Found((*path, "of"), f"{words}; leave it out")


_NO_CALLS: dict[Needs, tuple[str, tuple[str, ...]]] = {
    Needs.PROBE: ("a probe makes none", ("cohort", "of")),
    Needs.FAULT: ("{} looks at all of them", ("cohort", "of")),
}


def _of_load(draft: Draft, path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    """The load must be there, and for journeys it must have some."""
    loads = {load.id: load for load in draft.experiment.loads}
    measure = MEASURES[entry.expect.measure]
    if entry.load is not None and entry.load not in loads:
        yield Found((*path, "load"), f"no load is called {entry.load!r}{hint(entry.load, list(loads))}")
    elif entry.load is not None and (measure.name in _NOT_OF_ONE_LOAD or measure.needs in (Needs.FAULT, Needs.PROBE)):
        yield Found((*path, "load"), f"{measure.name} is about all loads")
    looked = [load for name, load in loads.items() if entry.load in (None, name)]
    if measure.name in _JOURNEYS and looked and not any(load.journey for load in looked):
        yield Found((*path, "expect"), f"{measure.name} is about journeys, and no load has one")


def _windows(draft: Draft, path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    several = isinstance(draft.raw((*path, "over")), list)
    for index, window in enumerate(entry.over):
        place = (*path, "over", index) if several else (*path, "over")
        strangers = [name for name in faults_named(window) if name not in draft.fault_ids]
        for name in strangers:
            near = hint(name, [*draft.fault_ids, "all", "warmup", "steady", "tail"])
            yield Found(place, f"no fault is called {name!r}{near}")
        if not strangers:
            yield from _empty(draft, place, window)


def _empty(draft: Draft, place: Path, window: Window) -> Iterator[Found]:
    if window.text == "tail" and not draft.experiment.timeline.quiet_tail:
        yield Found(place, "the window tail is empty; set timeline.quiet_tail")
        return
    start, end = (planned_time(draft.experiment, moment) for moment in (window.start, window.end))
    if start is not None and end is not None and end <= start:
        planned = f"from {_clock(start)} to {_clock(end)}"
        yield Found(place, f"the window {window.text!r} is empty: as planned it goes {planned}")


def _clock(at_s: float) -> str:
    return f"-{format_duration(round(-at_s, 3))}" if at_s < 0 else format_duration(round(at_s, 3))
