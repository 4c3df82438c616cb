"""Hypothesis strategies for faults, plans and whole experiments: the whole catalogue, as far as a dialect knows it.

What shrinks: a plan to fewer faults, a fault to one with fewer settings and then one that stands earlier in the
catalogue, its settings to their defaults, its place to ``token:1``, and the requests that it is for to all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from hypothesis import strategies as st
from pydantic import ValidationError

from chaosproxy.experiment.model import Experiment
from chaosproxy.faults.base import Fault, Room
from chaosproxy.plan.rule import Match, Rule, free_id
from chaosproxy.search.case import experiment_of
from chaosproxy.search.observation import Plan, Setting
from chaosproxy.search.settings_of import fault_classes, is_place, settings_of

_REQUESTS: tuple[dict[str, int], ...] = ({}, {"first": 1}, {"nth": 2}, {"skip": 1}, {"first": 2}, {"nth": 3})
"""For which requests of the run; all of them is the simplest."""
SPANS_S = (None, 1.0, 10.0)
"""How long a fault lasts that acts on connections, where no request can be chosen; None: to the end."""
MATCHES = tuple(Match.model_validate(match) for match in _REQUESTS)
_CHANGES = 2
"""How many settings of a fault differ from their defaults at most, beside its place."""

Change = tuple[str, int]
"""A setting, and which of its values."""


def faults(dialect: str = "openai.chat", kinds: Sequence[type[Fault]] | None = None) -> st.SearchStrategy[Fault]:
    """Any fault that can act on a streamed request of the dialect; of ``kinds``, if they are given."""
    return _faults(_able(dialect, kinds))


def plans(
    max_faults: int = 3,
    *,
    listeners: Sequence[str] = ("primary",),
    dialect: str = "openai.chat",
    kinds: Sequence[type[Fault]] | None = None,
) -> st.SearchStrategy[Plan]:
    """One to ``max_faults`` faults, each at one of the listeners and for some of its requests."""
    one = _aimed(_able(dialect, kinds), tuple(listeners))
    return st.lists(one, min_size=1, max_size=max_faults).map(named)


def combinations(first: Sequence[Rule], others: Sequence[Rule], max_faults: int) -> st.SearchStrategy[Plan]:
    """Two to ``max_faults`` of these rules; in half of the plans one of ``first`` is among them, if there are any."""
    some = st.lists(st.sampled_from(others), min_size=2, max_size=max_faults)
    if first:
        rest = st.lists(st.sampled_from(others), min_size=1, max_size=max_faults - 1)
        some = st.one_of(st.builds(lambda rule, more: [rule, *more], st.sampled_from(first), rest), some)
    return some.map(renamed)


def experiments(
    max_faults: int = 3, *, listeners: Sequence[str] = ("primary",), dialect: str = "openai.chat"
) -> st.SearchStrategy[Experiment]:
    """Whole experiments that the linter accepts: a lab, a listener before it, one call and a plan."""
    setting = Setting(dialect=dialect, listeners=tuple(listeners))
    found = plans(max_faults, listeners=listeners, dialect=dialect)
    return found.map(lambda plan: Experiment.model_validate(experiment_of(plan, setting, name="drawn")))


def _able(dialect: str, kinds: Sequence[type[Fault]] | None) -> st.SearchStrategy[type[Fault]]:
    able = fault_classes(dialect)
    chosen = able if kinds is None else tuple(kind for kind in kinds if kind in able)
    if not chosen:
        raise ValueError(f"none of these faults can act on a streamed request of {dialect}")
    return st.sampled_from(chosen)


@st.composite
def _faults(draw: st.DrawFn, kinds: st.SearchStrategy[type[Fault]]) -> Fault:
    return _drawn(draw, kinds)


def _drawn(draw: st.DrawFn, kinds: st.SearchStrategy[type[Fault]]) -> Fault:
    """Few choices, because each of them costs: in every run, and when it is shrunk."""
    kind = draw(kinds)
    parts = _parts(kind)
    changes = [draw(place) for place in parts.places]
    for _ in range(parts.changes_max):
        change = draw(parts.change)
        if change is None:
            break
        changes.append(change)
    return _built(kind, tuple(changes))


class _Parts(NamedTuple):
    """What is drawn for a kind of fault."""

    places: tuple[st.SearchStrategy[Change], ...]
    change: st.SearchStrategy[Change | None]
    changes_max: int


@cache
def _parts(kind: type[Fault]) -> _Parts:
    settings = settings_of(kind)
    places = [name for name in settings if is_place(kind, name)]
    others = [name for name in settings if name not in places]
    changes: list[Change | None] = [(name, at) for name in others for at in range(len(settings[name]))]
    unchanged = [None] * (1 + len(changes) // 3)  # as it is by default in a quarter of the runs
    return _Parts(
        tuple(st.sampled_from([(name, at) for at in range(len(settings[name]))]) for name in places),
        st.sampled_from([*unchanged, *changes]),
        min(_CHANGES, len(others)),
    )


@cache
def _built(kind: type[Fault], drawn: tuple[Change, ...]) -> Fault:
    """With these settings; of two that exclude each other, or are the same, the later one is left out."""
    known, values = settings_of(kind), dict[str, Any]()
    fault = kind()
    for change in drawn:
        name, at = change
        if name in values:
            continue
        try:
            fault = kind.model_validate({**values, name: known[name][at]})
        except ValidationError:
            continue
        values[name] = known[name][at]
    return fault


@st.composite
def _aimed(draw: st.DrawFn, kinds: st.SearchStrategy[type[Fault]], listeners: tuple[str, ...]) -> dict[str, Any]:
    fault = _drawn(draw, kinds)
    at = listeners if len(listeners) == 1 else (draw(st.sampled_from(listeners)),)
    aim: dict[str, Any] = {"do": fault, "listeners": at}
    if picks_requests(fault):
        aim["match"] = draw(_MATCH)
    else:
        aim["lasts"] = draw(_SPAN)
    return aim


_MATCH = st.sampled_from(MATCHES)
_SPAN = st.sampled_from(SPANS_S)


def picks_requests(fault: Fault) -> bool:
    """Whether it can be for some requests only: not when it acts before any is known."""
    return fault.room is not Room.TOXIC and fault.gate() is None


def renamed(rules: Sequence[Rule]) -> Plan:
    """A plan of these rules, with ids that differ."""
    return named([rule.model_dump(exclude={"id", "do"}) | {"do": rule.do} for rule in rules])


def named(aims: Sequence[Mapping[str, Any]]) -> Plan:
    """Rules of a plan from their values without ids; each gets one of its own."""
    rules: dict[str, Rule] = {}
    for aim in aims:
        name = free_id(aim["do"].type.replace(".", "-"), rules)
        rules[name] = Rule(id=name, **aim)
    return tuple(rules.values())
