"""The measures of journeys, and of what calls cost and keep up: they are made of several calls each."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from chaosproxy.steady_state.observation import Observation, Sample
from chaosproxy.steady_state.outcome import Doubt, Outcome
from chaosproxy.steady_state.samples import has_outcome
from chaosproxy.steady_state.timeline import Span, Unknowable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chaosproxy.steady_state.history import History, Story


def journeys(history: History, span: Span, load: str | None) -> list[list[Story]]:
    """The journeys that began in a span, each as the steps that were made. Raises Unknowable when none did."""
    steps: defaultdict[str, list[Story]] = defaultdict(list)
    for story in history.stories:
        if story.call.workflow is not None and load in (None, story.call.load):
            steps[story.call.workflow].append(story)
    begun = [made for made in steps.values() if made[0].call.intended_at in span]
    if not begun:
        raise Unknowable(f"no journey began in the window {span.text!r}")
    return begun


def done(made: Sequence[Story]) -> Iterator[Sample]:
    """A sample for each step of a journey: 1 when it was done; what was never begun was not."""
    yield from (has_outcome(story, Outcome.OK) for story in made)
    last = made[-1]
    name = last.call.workflow or last.id
    broken_off = last.outcome in (Outcome.OK, Outcome.UNFINISHED)  # not by its user
    for _ in range(last.call.steps - len(made)):
        yield Sample(name, 0.0, 0.0, 1.0, Doubt.UNFINISHED) if broken_off else Sample.sure(name, 0.0)


def whole(made: Sequence[Story]) -> Sample:
    """1 when all steps were done."""
    steps = list(done(made))
    doubt = next((step.doubt for step in steps if step.low != step.high), None)
    low, value, high = (min(getattr(step, bound) for step in steps) for bound in ("low", "value", "high"))
    return Sample(made[0].call.workflow or made[0].id, value, low, high, doubt)


def kept(stories: Sequence[Story], span: Span) -> Observation:
    """How many calls were ok in the last third of a window, relative to the first."""
    third_s = span.length_s / 3
    if math.isinf(third_s):
        raise Unknowable("a window without an end has no last third")
    early = [story for story in stories if story.call.intended_at < span.start + third_s]
    late = [story for story in stories if story.call.intended_at >= span.end - third_s]
    first, last = _ok(early), _ok(late)
    if not first[0]:
        raise Unknowable(f"no call is known to be ok in the first third of the window {span.text!r}")
    value = last[1] / max(first[1], 1)
    seen = Observation(span.text, span, value, last[0] / first[2], last[2] / first[0], len(early) + len(late))
    return seen if seen.low == seen.high else replace(seen, why="what became of some calls is not known")


def cost_each(stories: Sequence[Story], span: Span) -> Observation:
    """Requests per call that is ok; without any it is without bounds."""
    requests = sum(len(story.exchanges) for story in stories)
    low, value, high = (requests / ok if ok else math.inf for ok in reversed(_ok(stories)))
    open_ = any(story.outcome is Outcome.UNFINISHED for story in stories)
    return Observation(
        span.text,
        span,
        value,
        low,
        math.inf if open_ else high,
        len(stories),
        "calls had not ended when the journal does" if open_ else "",
    )


def _ok(stories: Sequence[Story]) -> tuple[float, float, float]:
    """How many calls are ok: at least, as far as is known, at most."""
    samples = [has_outcome(story, Outcome.OK) for story in stories]
    low, value, high = (sum(getattr(sample, bound) for sample in samples) for bound in ("low", "value", "high"))
    return low, value, high
