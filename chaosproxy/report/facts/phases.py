"""Part 6: the same measures before, during and after the faults, and while each of them acted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from chaosproxy.report.facts.outline import Outline
from chaosproxy.report.facts.reservoir import Reservoir, quantile
from chaosproxy.steady_state.history import Story
from chaosproxy.steady_state.outcome import Outcome

SAMPLES_MAX = 10_000
"""Values of a kind that are kept for a percentile; of more calls than that a sample is taken."""
NOBODY, UNKNOWN = "nobody", "unknown"
"""Who served a call that got no answer, and one whose requests cannot be told (it carries no tag)."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Measures over the calls that were to be sent in a span; times in seconds, shares 0..1, None: no value.

    ``from_s`` and ``to_s`` count from t = 0. Times are of calls that got that far; ``served`` counts calls by who
    answered them.
    """

    name: str
    from_s: float
    to_s: float
    calls: int
    success: float | None
    admitted: int
    flawed: int
    ttft_p50: float | None
    ttft_p99: float | None
    e2e_p50: float | None
    e2e_p99: float | None
    gap_p99: float | None
    requests_per_call: float | None
    served: Mapping[str, int]


@dataclass(slots=True)
class PhaseCounter:
    """Gathers one phase. ``start`` and ``end`` on the journal's clock.

    ``caught`` True: of the calls sent then only those that were still under way at ``end``; False: only the others.
    """

    name: str
    start: float
    end: float
    caught: bool | None = None
    calls: int = 0
    ok: int = 0
    admitted: int = 0
    flawed: int = 0
    requests: int = 0
    ttft: Reservoir[float] = field(default_factory=lambda: Reservoir(SAMPLES_MAX))
    e2e: Reservoir[float] = field(default_factory=lambda: Reservoir(SAMPLES_MAX))
    gaps_ms: Counter[int] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)

    def feed(self, story: Story) -> None:
        """Count a call, if it belongs here."""
        call = story.call
        if not self.start <= call.intended_at < self.end:
            return
        if self.caught is not None and self.caught is not (story.end_at > self.end):
            return
        self.calls += 1
        self.ok += story.outcome is Outcome.OK
        self.admitted += story.admitted
        self.flawed += story.answered and story.outcome is not Outcome.OK
        self.requests += len(story.exchanges)
        self.served[server_of(story)] += 1
        if story.answer_at is not None and not (story.admitted and not call.stream):
            self.ttft.add(story.answer_at - call.intended_at)
        if story.answered and call.end_at is not None:
            self.e2e.add(call.end_at - call.intended_at)
        self.gaps_ms.update(call.gaps_ms)

    def done(self, origin: float) -> Phase:
        """The numbers, in times since ``origin``."""
        return Phase(
            name=self.name,
            from_s=self.start - origin,
            to_s=self.end - origin,
            calls=self.calls,
            success=self.ok / self.calls if self.calls else None,
            admitted=self.admitted,
            flawed=self.flawed,
            ttft_p50=quantile(self.ttft, "p50"),
            ttft_p99=quantile(self.ttft, "p99"),
            e2e_p50=quantile(self.e2e, "p50"),
            e2e_p99=quantile(self.e2e, "p99"),
            gap_p99=_p99_s(self.gaps_ms),
            requests_per_call=self.requests / self.calls if self.calls else None,
            served=dict(sorted(self.served.items())),
        )


def _p99_s(counts_ms: Counter[int]) -> float | None:
    """Nearest rank, of values that are counted."""
    left = ceil(round(0.99 * counts_ms.total(), 6))
    for value_ms in sorted(counts_ms):
        left -= counts_ms[value_ms]
        if left <= 0:
            return value_ms / 1000
    return None


def server_of(story: Story) -> str:
    """The listener whose answer the client believes to have."""
    if not story.answered:
        return NOBODY
    return UNKNOWN if story.source is None else story.source.listener


def phases_of(outline: Outline) -> list[PhaseCounter]:
    """Before, during and after all faults; the whole run when none was applied."""
    over = outline.marks.get("over", outline.last_at + 1e-6)
    begins = [spell.applied_at for spell in outline.spells.values()]
    if not begins:
        return [PhaseCounter("whole run", outline.origin, over)]
    ends = [over if spell.healed_at is None else min(spell.healed_at, over) for spell in outline.spells.values()]
    first, last = min(begins), max(ends)
    phases = (
        PhaseCounter("before", outline.origin, first, caught=False),
        PhaseCounter("under way when it began", outline.first_at, first, caught=True),
        PhaseCounter("during", first, last),
        PhaseCounter("after", last, over),
    )
    return [phase for phase in phases if phase.end > phase.start]


def control_phases(outline: Outline) -> list[PhaseCounter]:
    """The calls that no fault was for: over the whole run, and while others were hit."""
    over = outline.marks.get("over", outline.last_at + 1e-6)
    meanwhile = [phase for phase in phases_of(outline) if phase.name == "during"]
    during = [PhaseCounter("control cohort, during", phase.start, phase.end) for phase in meanwhile]
    return [*during, PhaseCounter("control cohort, whole run", outline.origin, over)]


def phases_of_faults(outline: Outline) -> dict[str, PhaseCounter]:
    """One for each fault, while it acted."""
    return {
        fault: PhaseCounter(fault, spell.applied_at, outline.last_at if spell.healed_at is None else spell.healed_at)
        for fault, spell in outline.spells.items()
    }
