"""Journeys, apdex, what is kept up, and what a success costs: measures that are made of several calls each."""

from __future__ import annotations

import math
from typing import Any

import pytest

from chaosproxy.report.console import margin_words
from chaosproxy.steady_state.expression import parse_expression
from chaosproxy.steady_state.measures import observe
from chaosproxy.steady_state.observation import Observation, State
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import CUT, Drill, expectation


def observed(drill: Drill, text: str, over: str = "all", **settings: Any) -> Observation:
    """What is observed for one expectation in one window."""
    (observation,) = observe(drill.history(), expectation(text, over, **settings))
    return observation


def step(drill: Drill, workflow: str, number: int, at: float, **changes: Any) -> None:
    """One step of a journey of three; what it answered is no text that anybody else knows."""
    of = {"workflow": workflow, "step": f"step-{number}", "steps": 3, "expected": None, "api": "http", "stream": False}
    drill.call(f"{workflow}-{number}", at, CUT, **{**of, **changes})


@pytest.fixture
def walked() -> Drill:
    """One journey with all its steps, one whose user gave up after the second, one that goes on after a failure."""
    drill = Drill()
    for number in range(3):
        step(drill, "whole", number, 1 + number)
        step(drill, "stubborn", number, 11 + number, **({"error": "http", "status": 503} if number == 0 else {}))
    step(drill, "given-up", 0, 21, load="other")
    step(drill, "given-up", 1, 22, load="other", error="http", status=503)
    return drill


def test_what_was_never_begun_was_not_done(walked: Drill) -> None:
    """Six of nine steps, one of three journeys, and each is counted in the window in which it began."""
    assert observed(walked, "steps_done >= 50%").value == pytest.approx(6 / 9)
    assert observed(walked, "steps_done >= 50%").samples == 9
    assert observed(walked, "workflow_success >= 50%").value == pytest.approx(1 / 3)
    assert observed(walked, "workflow_success >= 50%", "0s..2s").value == 1
    assert observed(walked, "workflow_success >= 50%", load="other").value == 0
    assert observed(walked, "success >= 50%", load="other").value == 0.5


def test_a_journey_that_the_journal_breaks_off_is_in_doubt() -> None:
    """Its next step may have been done."""
    drill = Drill()
    step(drill, "open", 0, 1)

    seen = observed(drill, "workflow_success >= 50%")

    assert (seen.low, seen.high, seen.why) == (0, 1, "1 calls had not ended when the journal does")


def test_without_journeys_nothing_is_known() -> None:
    """And nothing is claimed."""
    drill = Drill()
    drill.good("a", 1)

    assert observed(drill, "steps_done >= 1%").value is None


def test_apdex_counts_the_content_and_half_of_the_patient() -> None:
    """Within T, within 4 T, later, and failed: (1 + 0.5) / 4."""
    drill = Drill()
    for number, took in enumerate((0.5, 2.0, 4.5)):
        drill.good(f"c{number}", number, took=took)
    drill.call("failed", 10, "", error="http", status=500, took=0.1)

    seen = observed(drill, "apdex(1s) >= 80%")

    assert seen.value == pytest.approx(1.5 / 4)
    assert seen.samples == 4
    assert seen.state(parse_expression("apdex(1s) >= 80%")) is State.DEVIATED


def test_throughput_kept_compares_the_last_third_with_the_first() -> None:
    """Twenty calls in the first third of a minute, ten in the last."""
    drill = Drill()
    drill.traffic(0, 20)
    drill.traffic(40, 60, each=2.0)

    assert observed(drill, "throughput_kept >= 95%").value == 0.5
    assert observed(drill, "throughput_kept >= 95%", "20s..40s").value is None


def test_requests_per_success() -> None:
    """Three requests for one answer; of none that is answered, it is without bounds."""
    drill = Drill()
    drill.exchange("a", "primary", 1)
    drill.exchange("a", "primary", 1.1)
    drill.good("a", 1)
    drill.exchange("b", "primary", 31)
    drill.call("b", 31, "", error="http", status=500)

    assert observed(drill, "requests_per_success <= 4", "0s..30s").value == 3
    assert observed(drill, "requests_per_success <= 4").value == 4
    assert math.isinf(observed(drill, "requests_per_success <= 4", "30s..60s").value or 0)


def test_a_claim_says_of_which_load_it_is() -> None:
    """So that rows of the same measure can be told apart."""
    assert expectation("success >= 90%", load="chat").text == "success >= 90% (load chat)"
    assert expectation("success >= 90%").text == "success >= 90%"


def test_rows_of_several_loads_can_be_told_apart(walked: Drill) -> None:
    """By their windows; what is claimed is still an expression, which reports read."""
    walked.expect("success >= 50%", load="other")
    walked.expect("success >= 50%", id="all")

    rows = judge(walked.journal(), walked.claims).expectations

    assert [row.window for row in rows] == ["all (load other)", "all"]
    assert [margin_words(row) for row in rows] == ["+0%", "+25%"]
