"""A run on a proxy with another clock: what the rest of doubt about the offset may change is not judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from chaosproxy.journal.records import Attached
from chaosproxy.steady_state.expression import parse_expression
from chaosproxy.steady_state.measures import observe
from chaosproxy.steady_state.observation import Observation, State
from tests.steady_state.drills import ORIGIN, Drill, expectation


def _drill(error_s: float) -> Drill:
    """A fault from 10 s to 20 s; calls each second, of which that at 9.9 s, just before the fault, fails."""
    drill = Drill()
    drill.records.append(Attached(at=ORIGIN - 3, control="http://x", offset_s=5.0, error_s=error_s))
    drill.fault("part", "stream.truncate", "primary", 10, 10)
    for second in range(30):
        drill.good(f"good-{second}", second + 0.5)
    drill.call("bad", 9.9, "", error="http", status=500)
    return drill


def _observed(error_s: float, text: str, over: str) -> tuple[Observation, State]:
    (seen,) = observe(_drill(error_s).history(), expectation(text, over))
    return seen, seen.state(parse_expression(text))


@pytest.mark.parametrize(
    ("error_s", "over", "state"),
    [
        (0.0, "part.applied..part.healed", State.HELD),
        (0.05, "part.applied..part.healed", State.HELD),
        (0.2, "part.applied..part.healed", State.INCONCLUSIVE),
        (0.0, "steady", State.DEVIATED),
        (0.2, "steady", State.INCONCLUSIVE),
        (0.2, "all", State.DEVIATED),
        (0.2, "part.healed..tail", State.HELD),
    ],
)
def test_a_call_at_the_edge_of_a_window(error_s: float, over: str, state: State) -> None:
    """It may belong to it or not; windows that hang on no fault are as they are."""
    seen, observed = _observed(error_s, "error_rate <= 0%", over)
    assert observed is state
    words = "the clocks of the proxy and the runner agree to 200ms only"
    assert (seen.why == words) is (state is State.INCONCLUSIVE)


def test_a_time_from_a_fault_has_bounds() -> None:
    """How late it was applied is known as well as the clocks."""
    for text, state in (
        ("applied_late(part) <= 300ms", State.HELD),
        ("applied_late(part) <= 100ms", State.INCONCLUSIVE),
        ("applied_late(part) >= 300ms", State.DEVIATED),
    ):
        seen, observed = _observed(0.2, text, "all")
        assert observed is state, seen


def test_a_time_between_two_clocks_has_bounds() -> None:
    """An answer leaves the proxy by its clock, and comes to the client by the load's."""
    drill = Drill()
    drill.good("a", 1)
    drill.records.append(Attached(at=ORIGIN - 3, control="http://x", offset_s=5.0, error_s=0.2))
    for text, state in (
        ("overhead.max <= 300ms", State.HELD),
        ("overhead.max <= 50ms", State.INCONCLUSIVE),
        ("overhead.max > 300ms", State.DEVIATED),
    ):
        (seen,) = observe(drill.history(), expectation(text))
        assert seen.state(parse_expression(text)) is state, seen
    assert "clocks" in observe(drill.history(), expectation("overhead.max <= 50ms"))[0].why


def test_whose_traffic_passed_on_one_clock_needs_no_bounds() -> None:
    """Traffic of others: both times are the proxy's."""
    drill = Drill()
    drill.claims = replace(drill.claims, external=True, entry="front", backends=("front", "primary"), oracle="upstream")
    drill.exchange("a", "primary", 1)
    drill.exchange("a", "front", 1)
    drill.records.append(Attached(at=ORIGIN - 3, control="http://x", offset_s=5.0, error_s=0.2))

    (seen,) = observe(drill.history(), expectation("overhead.max <= 50ms"))

    assert seen.state(parse_expression("overhead.max <= 50ms")) is State.HELD


@pytest.mark.parametrize(("error_s", "state"), [(0.0, State.HELD), (0.05, State.HELD), (0.3, State.INCONCLUSIVE)])
@pytest.mark.parametrize("cohort", ["in_flight", "new"])
def test_whose_cohort_a_call_is_in(cohort: Literal["in_flight", "new"], error_s: float, state: State) -> None:
    """A call that failed just before the fault began, or after, as far as the clocks agree."""
    drill = Drill()
    drill.fault("part", "stream.truncate", "primary", 10, 10)
    drill.good("open", 9.5, took=2.0)
    drill.good("later", 12)
    if cohort == "in_flight":
        drill.call("before", 9.0, "", took=0.9, error="http", status=500)
    else:
        drill.call("before", 9.9, "", took=0.05, error="http", status=500)
    drill.records.append(Attached(at=ORIGIN - 3, control="http://x", offset_s=5.0, error_s=error_s))

    (seen,) = observe(drill.history(), expectation("success == 100%", cohort=cohort))

    assert seen.state(parse_expression("success == 100%")) is state
