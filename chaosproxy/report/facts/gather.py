"""All parts of the report in one reading of a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chaosproxy.journal.records import AnyRecord, ExchangeRecord, FaultHit
from chaosproxy.report.facts.attempts import AttemptCounter, Attempts
from chaosproxy.report.facts.calls import NamedCall, named_call
from chaosproxy.report.facts.clients import ClientCounter, ClientJudge, ClientNote
from chaosproxy.report.facts.effects import Effect, EffectCounter
from chaosproxy.report.facts.joining import Joiner
from chaosproxy.report.facts.outline import Outline
from chaosproxy.report.facts.phases import Phase, control_phase, phases_of
from chaosproxy.report.facts.streams import StreamCounter, Streams
from chaosproxy.report.facts.timeline import Timeline, TimelineCounter
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.history import Story
from chaosproxy.steady_state.outcome import Outcome

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
    clients: Sequence[ClientNote] | None
    """None: nobody judged them."""
    phases: Sequence[Phase]
    calls: Sequence[NamedCall]


def gather(
    outline: Outline,
    records: Iterable[AnyRecord],
    verdict: Verdict | None,
    *,
    judge: ClientJudge | None = None,
    spared: Callable[[Story], bool] = lambda _: False,
) -> Facts:
    """Read the records once, in their order.

    ``judge`` says what a call shows about its client, ``spared`` whether it belongs to the control cohort: such calls
    are a phase of their own, and in no other.
    """
    timeline, streams, attempts = TimelineCounter(outline), StreamCounter(outline), AttemptCounter()
    clients = ClientCounter(judge)
    effects, phases = EffectCounter(outline), phases_of(outline)
    control = control_phase(outline)
    wanted = _wanted(verdict)
    named: dict[str, Story] = {}
    for item in Joiner().stories(records):
        match item:
            case Story():
                timeline.feed(item)
                streams.feed(item)
                attempts.feed(item)
                clients.feed(item)
                effects.feed(item)
                for phase in [control] if spared(item) else phases:
                    phase.feed(item)
                if item.id in wanted or (item.outcome is not Outcome.OK and len(named) < NAMED_MAX // 4):
                    named[item.id] = item
            case ExchangeRecord():
                effects.feed_exchange(item)
            case FaultHit():
                effects.feed_hit(item)
    worst = streams.stories()
    chains = attempts.examples()
    for story in (*worst, *chains, *clients.examples()):
        named.setdefault(story.id, story)
    calls = sorted((named_call(story, outline) for story in named.values()), key=lambda call: call.at_s)
    return Facts(
        timeline.done(),
        effects.done(),
        streams.done(),
        attempts.done(),
        clients.done(),
        [phase.done(outline.origin) for phase in (*phases, *([control] if control.calls else []))],
        calls,
    )


def _wanted(verdict: Verdict | None) -> frozenset[str]:
    """Calls that the verdict names."""
    if verdict is None:
        return frozenset()
    first = [row.first_against for row in verdict.expectations if row.first_against]
    drawn = [call for finding in verdict.findings for call in finding.calls[:_FROM_A_FINDING]]
    return frozenset([*first, *drawn][:NAMED_MAX])
