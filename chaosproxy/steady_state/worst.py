"""Which calls a number comes from: the worst of those that speak against an expectation, and what had hit them."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from chaosproxy.steady_state import own
from chaosproxy.steady_state.causes import UNJOINED, UNTOUCHED, named
from chaosproxy.steady_state.samples import SAMPLERS
from chaosproxy.steady_state.vocabulary import MEASURES, display

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaosproxy.steady_state.claims import Expectation, Expression
    from chaosproxy.steady_state.history import History, Story


class Worst(NamedTuple):
    """The calls that met the same as the worst of them, the worst first. ``how`` completes "N calls ..."."""

    shown: str
    how: str
    calls: tuple[str, ...]


def worst_of(history: History, expectation: Expectation, against: Sequence[Story]) -> Worst | None:
    """Of calls that have a value each; None where the measure is none of single calls."""
    expect, measure = expectation.expect, MEASURES[expectation.expect.measure]
    if not measure.sampled or (measure.value_of is None and measure.name not in SAMPLERS):
        return None
    sampler = SAMPLERS[measure.name] if measure.value_of is None else own.sampler_of(measure)
    valued = [(story, [sample.value for sample in sampler(history, story)]) for story in against]
    ranked = [(story, max(values, key=lambda value: _badness(expect, value))) for story, values in valued if values]
    ranked.sort(key=lambda each: -_badness(expect, each[1]))
    groups: defaultdict[str, list[Story]] = defaultdict(list)
    for story, _ in ranked:
        groups[_met(history, story)].append(story)
    for met, stories in groups.items():  # the first holds the worst
        passed_on = _passed_on(stories) if measure.name == "usage_error" else ""
        shown = display(ranked[0][1], measure.unit_of(expect.aggregate))
        return Worst(shown, met + passed_on, tuple(story.id for story in stories))
    return None


def _badness(expect: Expression, value: float) -> float:
    """How far it is on the bad side of the bound."""
    if math.isinf(value):
        return math.inf
    gap = value - expect.value
    if expect.operator in ("<", "<="):
        return gap
    return -gap if expect.operator in (">", ">=") else abs(gap)


def _met(history: History, story: Story) -> str:
    """Which faults hit the answer, or at least the call."""
    if not story.call.tagged:
        return f"({UNJOINED})"
    if story.source is not None and (hits := story.hits_on(story.source)):
        return f"that {named(history, (hit.fault for hit in hits))} hit on {story.source.listener}"
    if story.hits:
        return f"of which another request met {named(history, (hit.fault for hit in story.hits))}"
    return f"where {UNTOUCHED}"


def _passed_on(stories: Sequence[Story]) -> str:
    """What became of the token counts that a fault had spoilt."""
    if any(story.source is None or not story.hits_on(story.source) for story in stories):
        return ""
    if all(story.call.output_tokens is None for story in stories):
        return ", and no count at all reached the client"
    same = (story.source and story.source.sent.output_tokens == story.call.output_tokens for story in stories)
    return ", and the gateway passed the counts on" if all(same) else ""
