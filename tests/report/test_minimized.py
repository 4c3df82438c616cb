"""The words about a search for the smallest drill."""

from __future__ import annotations

from chaosproxy.report.minimized import announced, minimized_text
from chaosproxy.runner.minimizing import Minimized, Terms, Tried
from chaosproxy.search.minimize import Outcome
from tests.search.test_minimize import CUT, drill

DEVIATED, HELD = Outcome.DEVIATED, Outcome.HELD


def text(minimized: Minimized) -> str:
    """What is printed in the end."""
    return minimized_text(drill(), minimized, "small.yaml", 7)


def test_runs_and_time_are_announced() -> None:
    """As many runs as agree make a candidate count."""
    words = announced(drill(), Terms("silent_truncated", 3, 600.0, 1.0), 6.5)

    assert words.startswith("silent_truncated: 5 faults; a candidate deviates when 2 of 3 runs do\nabout ")
    assert " runs of 6.5 s, " in words
    assert words.endswith("the search ends after 10 min (--budget)")


def test_the_smallest_with_its_changes() -> None:
    """A row for each candidate, and every value that differs from the file's."""
    whole = Tried(drill().whole(), (DEVIATED, HELD, DEVIATED), DEVIATED, 20.0)
    smaller = drill().with_settings(drill().only([CUT]), {(CUT, "share"): "20%", (CUT, "do", "where"): "token:4"})

    lines = text(Minimized(smaller, (whole, Tried(smaller, (DEVIATED, DEVIATED), DEVIATED, 12.0)))).splitlines()

    assert lines[1].split() == ["1", "deviated", "20.0s", "2", "deviated,", "1", "held", "everything,", "again"]
    assert lines[4:] == [
        "2 candidates, 5 runs, 32 s",
        "",
        "smallest: 1 of 5 faults: stream-truncate",
        "  stream-truncate.share 40% -> 20%",
        "  stream-truncate.where token:8 -> token:4",
        "again with: chaosproxy run small.yaml --seed 7",
    ]


def test_what_was_broken_off_is_called_so() -> None:
    """It may not be the smallest."""
    whole = Tried(drill().whole(), (DEVIATED,), DEVIATED, 20.0)

    words = text(Minimized(whole.candidate, (whole,), "budget"))

    assert "the budget is spent: smaller ones were not tried" in words
    assert "smallest so far: 5 of 5 faults" in words


def test_nothing_to_go_by() -> None:
    """It did not deviate again, and what the run said then; or nobody knows."""
    held = Tried(drill().whole(), (HELD, HELD), HELD, 20.0, "the 1 expectation held")

    assert text(Minimized(None, (held,))).endswith(
        "it did not deviate again, so there is nothing to go by: the 1 expectation held"
    )
    assert text(Minimized(None, (), "budget")).endswith(
        "whether it deviates again was not decided, so there is nothing to go by"
    )
