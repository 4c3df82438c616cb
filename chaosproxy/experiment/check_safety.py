"""Checks of what ``safety`` says about upstreams, and of ``control``, ``hooks`` and ``notify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaosproxy.experiment.draft import Draft, Found
from chaosproxy.experiment.safety import UPSTREAM_LIMITS
from chaosproxy.experiment.section import host_of, is_local, is_url
from chaosproxy.experiment.traffic import part_of_cohort, planned_cost, planned_requests, planned_tokens
from chaosproxy.units import format_duration, format_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaosproxy.experiment.model import Experiment


def safety_problems(draft: Draft) -> Iterator[Found]:
    """Everything that is wrong with these sections."""
    yield from _limits_are_given(draft)
    yield from _prices(draft)
    yield from _planned(draft.experiment)
    yield from _control(draft)
    yield from _hooks(draft)


def _limits_are_given(draft: Draft) -> Iterator[Found]:
    """Somebody else's machine, or somebody's bill: say how far it may go."""
    experiment = draft.experiment
    if experiment.topology.attach is not None:
        return  # what stands behind a proxy that runs already is known when the run begins
    missing = [name for name in UPSTREAM_LIMITS if draft.raw(("safety", name)) is None]
    upstreams = {name: backend.upstream for name, backend in experiment.topology.backends.items()}
    elsewhere = [name for name, url in upstreams.items() if is_url(url) and not is_local(url)]
    if elsewhere and missing:
        host = host_of(upstreams[elsewhere[0]])
        words = f"{host} is not this machine, so safety must say how far the run may go; it misses {', '.join(missing)}"
        yield Found(("topology", "backends", elsewhere[0], "upstream"), words)


def _prices(draft: Draft) -> Iterator[Found]:
    prices, models = draft.experiment.safety.price_list(), _models(draft.experiment)
    if prices is None and draft.raw(("safety", "prices")) is not None:
        return  # said already what is wrong with it
    if draft.raw(("safety", "max_cost")) is not None and prices is None:
        yield Found(
            ("safety", "max_cost"), "there are no prices (safety.prices), so nobody could know what a run costs"
        )
    if prices is not None and draft.raw(("safety", "max_cost")) is not None:
        for model in models:
            if prices.of(model) is None:
                yield Found(("safety", "prices"), f"there is no price for {model!r}, which the load asks for")


def _models(experiment: Experiment) -> list[str]:
    return list(dict.fromkeys(model for load in experiment.loads for model in load.request.model))


def _planned(experiment: Experiment) -> Iterator[Found]:
    """What the load alone will ask for, without any retry, must be within the limits."""
    safety = experiment.safety
    requests, tokens, cost = planned_requests(experiment), planned_tokens(experiment), planned_cost(experiment)
    rate = sum(max(rate for rate, _ in load.arrival.stages(0.0, 1.0)) for load in experiment.loads)
    if safety.max_upstream_requests is not None and requests > safety.max_upstream_requests:
        yield Found(("safety", "max_upstream_requests"), f"the load alone sends about {requests:.0f} requests")
    if safety.max_upstream_rate is not None and rate > safety.max_upstream_rate:
        yield Found(("safety", "max_upstream_rate"), f"the load alone sends {format_rate(rate)}")
    if safety.max_upstream_tokens is not None and tokens > safety.max_upstream_tokens:
        words = f"the answers to the load alone may have {tokens:.0f} tokens (load.request.max_tokens bounds them)"
        yield Found(("safety", "max_upstream_tokens"), words)
    if safety.max_cost is not None and cost is not None and cost > safety.max_cost:
        words = f"the answers to the load alone may cost {cost:.4g} (load.request.max_tokens bounds them)"
        yield Found(("safety", "max_cost"), words)


def _control(draft: Draft) -> Iterator[Found]:
    """Somebody must be in the cohort, and somebody must be left for the faults."""
    control = draft.experiment.control
    if control is None:
        if draft.raw(("control",)) is None:
            for path, entry in draft.hypothesis():
                if entry.cohort == "control":
                    yield Found((*path, "cohort"), "this file has no control cohort; control: {match: {...}} makes one")
        return
    if draft.experiment.external is not None:
        return  # there it cannot be at all
    spared = [part_of_cohort(draft.experiment, load, "control") for load in draft.experiment.loads]
    if not any(spared):
        words = "no request of the load is like this, so nobody would be in the control cohort"
        yield Found(("control", "match"), f"{words}; give it a load of its own, with the same header or model")
    elif min(spared) == 1:
        yield Found(
            ("control", "match"), "every request of the load is like this, so none would be left for the faults"
        )


def _hooks(draft: Draft) -> Iterator[Found]:
    timeline, gate = draft.experiment.timeline, draft.experiment.gate
    seen: set[str] = set()
    for path, hook in draft.hooks():
        if hook.id in seen:
            yield Found((*path, "id"), f"two hooks are called {hook.id!r}")
        seen.add(hook.id)
        planned, end = format_duration(round(hook.at, 3)), format_duration(timeline.faults_end_s)
        which = "the quiet tail begins" if timeline.quiet_tail else "the timeline ends"
        if hook.at >= timeline.faults_end_s:
            yield Found((*path, "at"), f"it would be done at {planned}, but {which} at {end}")
        elif hook.lasts is not None and hook.at + hook.lasts > timeline.faults_end_s:
            until = format_duration(round(hook.at + hook.lasts, 3))
            yield Found((*path, "lasts"), f"it would be undone at {until}, but {which} at {end}")
        if gate is not None and hook.at < gate.window:
            window = format_duration(gate.window)
            yield Found(
                (*path, "at"), f"it would be done at {planned}, while the gate still looks (its window is {window})"
            )
