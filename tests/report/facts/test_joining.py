"""Records back to calls, as they stream by: the same calls as a history has that saw everything at once."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.journal.records import AnyRecord
from chaosproxy.report.facts.joining import Joiner
from chaosproxy.steady_state.history import Story
from tests.steady_state.drills import CUT, ORIGIN, Drill, cut_edge


def _stories(records: Iterable[AnyRecord]) -> dict[str, Story]:
    return {item.id: item for item in Joiner().stories(records) if isinstance(item, Story)}


@given(
    st.lists(
        st.tuples(st.floats(0, 50), st.floats(0.1, 9), st.sampled_from([1, 2, 3]), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_calls_have_what_they_have_in_a_history(calls: list[tuple[float, float, int, bool]]) -> None:
    """However calls overlap: the same outcomes, requests and sources."""
    drill = Drill()
    for number, (at, took, requests, cut) in enumerate(calls):
        for attempt in range(requests):
            begin = at + attempt * took / requests
            sent = {"sent": cut_edge(ORIGIN + begin)} if cut else {}
            drill.exchange(f"c{number}", "primary", begin, hit="cut" if cut else None, **sent)
        drill.call(f"c{number}", at, CUT if cut else "x", took=took)

    expected = {story.id: story for story in drill.history().stories}
    found = _stories(drill.journal().records)

    assert expected.keys() == found.keys()
    for name, story in expected.items():
        assert found[name].outcome is story.outcome
        assert found[name].exchanges == story.exchanges
        assert set(found[name].hits) == set(story.hits)
        assert found[name].source == story.source


def test_a_call_that_never_ended_comes_last() -> None:
    """It is told, as unfinished."""
    drill = Drill()
    drill.sent("lost", 5)
    drill.good("fine", 10)

    found = _stories(drill.journal().records)

    assert {name: story.outcome.value for name, story in found.items()} == {"fine": "ok", "lost": "unfinished"}


def test_few_calls_are_remembered() -> None:
    """A long journal is not held: a call leaves soon after it has ended."""
    drill = Drill(lasts_s=600)
    drill.traffic(0, 600)
    joiner, most = Joiner(), 0

    for _ in joiner.stories(drill.journal().records):
        most = max(most, len(joiner._calls))

    assert most <= 14
