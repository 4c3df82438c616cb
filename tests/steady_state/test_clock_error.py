"""A run on a proxy with another clock: what the rest of doubt about the offset may change is not judged."""

from __future__ import annotations

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
