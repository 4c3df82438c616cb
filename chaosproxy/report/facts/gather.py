"""All parts of the report in one reading of a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chaosproxy.journal.records import AnyRecord
from chaosproxy.report.facts.attempts import AttemptCounter, Attempts
from chaosproxy.report.facts.calls import NamedCall, named_call
from chaosproxy.report.facts.clients import ClientCounter, ClientJudge, ClientNote
from chaosproxy.report.facts.effects import Effect, EffectCounter
from chaosproxy.report.facts.joining import Joiner, seen_stories
from chaosproxy.report.facts.outline import Outline
from chaosproxy.report.facts.phases import Phase, control_phases, phases_of
from chaosproxy.report.facts.streams import StreamCounter, Streams
from chaosproxy.report.facts.timeline import Timeline, TimelineCounter
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.history import Story
from chaosproxy.steady_state.outcome import Outcome

NAMED_MAX = 200
"""Calls of the verdict that are shown one by one."""
_FAILED_MAX = 50
"""Calls that are shown because they failed, whether the verdict names them or not."""
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
    spared: bool
    """Whether calls of the control cohort have phases of their own."""
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
    parts = _Parts(outline, verdict, judge, spared)
    run = outline.run
    watched, entry = (None, None) if run is None else (run.watched, run.entry)
    for item in Joiner(entry=entry).stories(records) if watched is None else seen_stories(watched, records):
        if isinstance(item, Story):
            parts.feed(item)
        elif item.type == "exchange":
            parts.effects.feed_exchange(item)
        elif item.type == "hit":
            parts.effects.feed_hit(item)
    return parts.done()


class _Parts:
    """All that counts, and the calls that are shown one by one."""

    def __init__(
        self, outline: Outline, verdict: Verdict | None, judge: ClientJudge | None, spared: Callable[[Story], bool]
    ) -> None:
        self._outline, self._spared = outline, spared
        self._wanted = _wanted(verdict)
        self._named: dict[str, Story] = {}
        self.effects = EffectCounter(outline)
        self._timeline, self._streams = TimelineCounter(outline), StreamCounter(outline)
        self._attempts, self._clients = AttemptCounter(), ClientCounter(judge)
        self._phases, self._control = phases_of(outline), control_phases(outline)

    def feed(self, story: Story) -> None:
        """One call."""
        for part in (self._timeline, self._streams, self._attempts, self._clients, self.effects):
            part.feed(story)
        for phase in self._control if self._spared(story) else self._phases:
            phase.feed(story)
        failed = story.outcome is not Outcome.OK and len(self._named) < _FAILED_MAX
        if failed or story.id in self._wanted:
            self._named[story.id] = story

    def done(self) -> Facts:
        """What was counted."""
        for story in (*self._streams.stories(), *self._attempts.examples(), *self._clients.examples()):
            self._named.setdefault(story.id, story)
        phases = [*self._phases, *(phase for phase in self._control if phase.calls)]
        return Facts(
            timeline=self._timeline.done(),
            effects=self.effects.done(),
            streams=self._streams.done(),
            attempts=self._attempts.done(),
            clients=self._clients.done(),
            spared=any(phase.calls for phase in self._control),
            phases=[phase.done(self._outline.origin) for phase in phases],
            calls=sorted(
                (named_call(story, self._outline) for story in self._named.values()), key=lambda call: call.at_s
            ),
        )


def _wanted(verdict: Verdict | None) -> frozenset[str]:
    """Calls that the verdict names."""
    if verdict is None:
        return frozenset()
    first = [row.first_against for row in verdict.expectations if row.first_against]
    drawn = [call for finding in verdict.findings for call in finding.calls[:_FROM_A_FINDING]]
    return frozenset([*first, *drawn][:NAMED_MAX])
