"""Where the search begins: each fault alone, and which of them are worth being combined.

Two faults can only meet in one call when the first of them lets it go on. So what is combined are faults that made a
difference, one for each kind of difference, and those first after which the call asked again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from pydantic import ValidationError

from chaosproxy.faults.base import Fault
from chaosproxy.plan.rule import Rule
from chaosproxy.search.observation import Observation, Setting
from chaosproxy.search.settings_of import fault_classes, is_place, settings_of
from chaosproxy.search.strategies import MATCHES, SPANS_S, named, picks_requests

_STEPS_S = (0.001, 1.0, 10.0, 60.0)
"""Two calls that took about as long are alike."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A fault alone, and what kind of difference it made. ``asks_again``: the call went on with another request."""

    rule: Rule
    effect: Hashable
    asks_again: bool


def alone(setting: Setting) -> Iterator[Rule]:
    """Each fault at each listener, for all requests: all as they are by default, then with one setting changed.

    So a search that ends early has seen all of the catalogue, and not all of its beginning.
    """
    kinds = fault_classes(setting.dialect)
    forms = [_at(listener, kind) for listener in setting.listeners for kind in kinds]
    for turn in zip_longest(*forms):
        yield from (rule for rule in turn if rule is not None)


def _at(listener: str, kind: type[Fault]) -> Iterator[Rule]:
    for fault in _variants(kind):
        yield named([{"do": fault, "listeners": (listener,)}])[0]


def narrowed(rule: Rule) -> Iterator[Rule]:
    """The same fault for some requests only, or for a while where none can be chosen."""
    if picks_requests(rule.do):
        yield from (rule.model_copy(update={"match": match}) for match in MATCHES[1:])
    else:
        yield from (rule.model_copy(update={"lasts": lasts}) for lasts in SPANS_S[1:])


def tried(rule: Rule, seen: Observation) -> Tried:
    """What a fault did alone."""
    requests = tuple((each.listener, each.sent.status, each.sent.ended) for each in seen.exchanges)
    outcome = (seen.text == seen.expected, seen.error_type, seen.hung)
    pace = sum(seen.took_s >= step_s for step_s in _STEPS_S)
    return Tried(rule, (rule.do.room, bool(seen.hits), outcome, requests, pace), len(seen.exchanges) > 1)


def distinct(candidates: Sequence[Tried], without: Observation) -> list[Tried]:
    """One for each kind of difference; those that met nothing and changed nothing are left out."""
    found: dict[Hashable, Tried] = {}
    for candidate in candidates:
        nothing = tried(candidate.rule, without)
        if candidate.effect != nothing.effect:
            found.setdefault(candidate.effect, candidate)
    return list(found.values())


def _variants(kind: type[Fault]) -> Iterator[Fault]:
    settings = settings_of(kind)
    place = next((name for name in settings if is_place(kind, name)), None)
    places = [{}] if place is None else [{place: value} for value in settings[place]]
    changes = [{**places[0], name: value} for name, values in settings.items() if name != place for value in values]
    others = (values for turn in zip_longest(changes, places[1:]) for values in turn if values is not None)
    for values in (places[0], *others):
        try:
            yield kind.model_validate(values)
        except ValidationError:  # allowed only together with another setting
            continue
