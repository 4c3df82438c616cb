"""All parts of the report in one reading of a journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaosproxy.journal.records import AnyRecord, ExchangeRecord, FaultHit
from chaosproxy.report.facts.attempts import AttemptCounter, Attempts
from chaosproxy.report.facts.calls import NamedCall, named_call
from chaosproxy.report.facts.effects import Effect, EffectCounter
from chaosproxy.report.facts.joining import Joiner
from chaosproxy.report.facts.outline import Outline
from chaosproxy.report.facts.phases import Phase, phases_of
from chaosproxy.report.facts.streams import StreamCounter, Streams
from chaosproxy.report.facts.timeline import Timeline, TimelineCounter
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.history import Story

NAMED_MAX = 200
"""Calls that are shown one by one."""
_FROM_A_FINDING = 10


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page shows beside the verdict."""

    timeline: Timeline
    effects: Sequence[Effect]
    streams: Streams
    attempts: Attempts
    phases: Sequence[Phase]
    calls: Sequence[NamedCall]


def gather(outline: Outline, records: Iterable[AnyRecord], verdict: Verdict | None) -> Facts:
    """Read the records once, in their order."""
    timeline, streams, attempts = TimelineCounter(outline), StreamCounter(outline), AttemptCounter()
    effects, phases = EffectCounter(outline), phases_of(outline)
    wanted = _wanted(verdict)
    named: dict[str, Story] = {}
    for item in Joiner().stories(records):
        match item:
            case Story():
                timeline.feed(item)
                streams.feed(item)
                attempts.feed(item)
                effects.feed(item)
                for phase in phases:
                    phase.feed(item)
                if item.id in wanted or (item.outcome.value != "ok" and len(named) < NAMED_MAX // 4):
                    named[item.id] = item
            case ExchangeRecord():
                effects.feed_exchange(item)
            case FaultHit():
                effects.feed_hit(item)
    worst = streams.stories()
    chains = attempts.examples()
    for story in (*worst, *chains):
        named.setdefault(story.id, story)
    calls = sorted((named_call(story, outline) for story in named.values()), key=lambda call: call.at_s)
    return Facts(
        timeline.done(),
        effects.done(),
        streams.done(),
        attempts.done(),
        [phase.done(outline.origin) for phase in phases],
        calls,
    )


def _wanted(verdict: Verdict | None) -> frozenset[str]:
    """Calls that the verdict names."""
    if verdict is None:
        return frozenset()
    first = [row.first_against for row in verdict.expectations if row.first_against]
    drawn = [call for finding in verdict.findings for call in finding.calls[:_FROM_A_FINDING]]
    return frozenset([*first, *drawn][:NAMED_MAX])
