"""Two runs side by side."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chaosproxy.report.comparison import Kind, compare
from chaosproxy.report.differences import differences, differences_json
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import CUT, ORIGIN, Drill, cut_edge


def _run(change: Callable[[Drill], object] = lambda _: None) -> Verdict:
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.traffic(0, 60)
    drill.exchange("hit", "primary", 15.5, hit="cut")
    drill.call("hit", 15.5)
    drill.expect("silent_truncated == 0")
    drill.expect("ttft.mean <= 1s")
    change(drill)
    return judge(drill.journal(), drill.claims)


def _lie(drill: Drill) -> None:
    drill.exchange("lied", "primary", 12.5, hit="cut", sent=cut_edge(ORIGIN + 12.5))
    drill.call("lied", 12.5, CUT)


def _slow(drill: Drill) -> None:
    for number in range(20):
        drill.good(f"slow-{number}", 30.5 + number, first_content_at=ORIGIN + 30.5 + number + 0.9)


def _unjudged(drill: Drill) -> None:
    drill.ended = None


def test_a_run_is_no_regression_of_itself() -> None:
    """Nothing changed."""
    found = compare(_run(), _run())

    assert (found.changes, found.exit_code) == ((), 0)


def test_an_expectation_that_deviates_now_is_a_regression() -> None:
    """And so is the verdict, and an outcome that nobody may begin to have."""
    found = compare(_run(), _run(_lie))

    assert found.exit_code == 1
    assert [change.what for change in found.changes if change.kind is Kind.REGRESSION] == [
        "verdict",
        "silent_truncated == 0 [all]",
        "calls with outcome silent_truncated",
    ]


def test_the_way_back_is_better() -> None:
    """What is mended is no regression."""
    found = compare(_run(_lie), _run())

    assert found.exit_code == 0
    assert {change.kind for change in found.changes} == {Kind.BETTER}


def test_slower_within_its_bound_is_told_and_no_regression() -> None:
    """The bound is what the file asks for; beyond noise, what is worse is shown."""
    found = compare(_run(), _run(_slow))

    assert found.exit_code == 0
    assert [(change.what, change.kind) for change in found.changes] == [("ttft.mean <= 1s [all]", Kind.WORSE)]


def test_an_inconclusive_run_says_nothing() -> None:
    """It is neither a pass nor an alarm."""
    found = compare(_run(), _run(_unjudged))

    assert found.exit_code == 3
    assert "nothing can be said: the later run is inconclusive" in differences(found)
    assert compare(_run(_unjudged), _run(_unjudged)).exit_code == 3
    assert compare(_run(_unjudged), _run()).unknown.startswith("the earlier run is inconclusive")


@pytest.mark.parametrize(("later", "last"), [(_run(_lie), "3 regressions from r1 to r1"), (_run(), "no regression")])
def test_the_last_line_says_what_it_comes_to(later: Verdict, last: str) -> None:
    """For people and for programs."""
    found = compare(_run(), later)

    assert differences(found).splitlines()[-1].startswith(last)
    assert json.loads(differences_json(found))["exit_code"] == found.exit_code
