"""Measures of the user's: a function over the calls of a journal, with a unit.

``measure`` makes of it what our own measures are: a row of the table, and samples of calls with their bounds.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from chaosproxy.steady_state.history import Story
from chaosproxy.steady_state.observation import Sample
from chaosproxy.steady_state.outcome import Doubt, Outcome
from chaosproxy.steady_state.timeline import Unknowable
from chaosproxy.steady_state.vocabulary import Better, Measure, Needs, Unit

if TYPE_CHECKING:
    from chaosproxy.steady_state.history import History

ValueOf: TypeAlias = Callable[[Story], float | None]
"""The value of one call: a number in base units (a share: 0..1 or a bool), or None where the measure does not apply."""


def measure(
    *, unit: Unit, edge: Needs = Needs.CLIENT, better: Better = Better.NEITHER, name: str | None = None
) -> Callable[[ValueOf], Measure]:
    """Make a measure of a function; its name is the function's, its meaning the first sentence of the docstring.

    A SHARE is the mean over all calls, a COUNT the sum; SECONDS and NUMBER are written with an aggregate. ``edge``
    EXCHANGES says that the function looks at ``story.exchanges``, which needs calls with tags.
    """

    def made(value_of: ValueOf) -> Measure:
        meaning = inspect.cleandoc(value_of.__doc__ or "").partition("\n")[0]
        sampled = unit in (Unit.SECONDS, Unit.NUMBER)
        return Measure(name or value_of.__name__, unit, edge, better, meaning, sampled=sampled, value_of=value_of)

    return made


def samples_of(own: Measure, story: Story) -> Iterable[Sample]:
    """The sample of one call. Where its outcome is not known for certain, the value lies between those of all that it
    may be. Raises Unknowable when the function fails.
    """
    if story.outcome is Outcome.UNFINISHED:
        low = -math.inf if own.unit is Unit.NUMBER else 0.0
        high = 1.0 if own.unit is Unit.SHARE else math.inf
        return (Sample(story.id, 0.0, low, high, Doubt.UNFINISHED),)
    value = _value(own, story)
    if story.uncertainty is None:
        return () if value is None else (Sample.sure(story.id, value),)
    truths = (replace(story, outcome=outcome, uncertainty=None) for outcome in sorted(story.uncertainty.perhaps))
    values = [each for truth in truths if (each := _value(own, truth)) is not None]
    values += [] if value is None else [value]
    if not values:
        return ()
    return (Sample(story.id, values[-1], min(values), max(values), story.uncertainty.doubt),)


def sampler_of(own: Measure) -> Callable[[History, Story], Iterable[Sample]]:
    """As the samplers of our own measures."""
    return lambda _, story: samples_of(own, story)


def _value(own: Measure, story: Story) -> float | None:
    if own.value_of is None:
        raise ValueError(own.name)
    try:
        value = own.value_of(story)
        number = None if value is None else float(value)
    except Exception as error:  # noqa: BLE001 - the function is the user's, and may raise anything
        raise Unknowable(f"{own.name} failed on call {story.id}: {type(error).__name__}: {error}") from None
    if number is not None and math.isnan(number):
        raise Unknowable(f"{own.name} gave no number for call {story.id}")
    return number
