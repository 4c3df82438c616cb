"""What clients did wrong, over all calls."""

from __future__ import annotations

from collections.abc import Iterator

from chaosproxy.report.facts.clients import ClientCounter
from chaosproxy.report.facts.gather import gather
from chaosproxy.report.facts.outline import outline_of
from chaosproxy.steady_state.client_findings import ADVICE, ClientDefect, ClientFinding
from chaosproxy.steady_state.history import Story
from tests.steady_state.drills import Drill


def _judge(story: Story) -> Iterator[ClientFinding]:
    yield ClientFinding(ClientDefect.NO_BACKOFF, story.id, f"{story.id} was hasty")
    if story.id == "c1":
        yield ClientFinding(ClientDefect.GAVE_UP, story.id, "it did")


def _drill() -> Drill:
    drill = Drill()
    for number in range(3):
        drill.exchange(f"c{number}", "primary", 5 + number)
        drill.good(f"c{number}", 5 + number, "secondary")
    drill.traffic(10, 20)
    return drill


def test_defects_are_counted_with_an_example_and_advice() -> None:
    """The most frequent one first; calls in which nothing happened are not even asked about."""
    journal = _drill().journal()

    notes = gather(outline_of(journal), journal.records, None, judge=_judge).clients

    assert notes is not None
    assert [(note.defect, note.calls, note.example, note.evidence, note.advice) for note in notes] == [
        ("no_backoff", 3, "c0", "c0 was hasty", ADVICE[ClientDefect.NO_BACKOFF]),
        ("gave_up", 1, "c1", "it did", ADVICE[ClientDefect.GAVE_UP]),
    ]


def test_nobody_judges_nothing() -> None:
    """That is not the same as nothing found."""
    assert ClientCounter(None).done() is None
    assert ClientCounter(_judge).done() == []


def test_the_control_cohort_is_a_phase_of_its_own() -> None:
    """Its calls are in no other phase."""
    journal = _drill().journal()

    phases = gather(outline_of(journal), journal.records, None, spared=lambda story: story.id == "c2").phases

    assert [(phase.name, phase.calls) for phase in phases] == [("whole run", 12), ("control cohort, whole run", 1)]
