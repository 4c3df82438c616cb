"""The accounts of faults: a fault that met nobody is never part of a pass, and the report says why it did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chaosproxy.steady_state.accounts import account_of
from tests.steady_state.drills import Drill

if TYPE_CHECKING:
    from chaosproxy.steady_state.findings import FaultAccount


def account(drill: Drill) -> FaultAccount:
    """The account of the only fault."""
    return account_of(drill.history(), drill.claims.faults[0])


def test_fault_that_nobody_met_says_so() -> None:
    """No request came to the target while the fault acted."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "secondary", at=10, lasts=10)
    drill.traffic(0, 60)

    assert (account(drill).enough, account(drill).why) == (False, "no request reached it")


def test_requests_that_were_not_hit_are_told_by_their_reasons() -> None:
    """The most frequent reasons come first; reasons with a number of their own are counted by their name."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    for number in range(3):
        drill.exchange(f"a{number}", "primary", 11, missed={"cut": f"share: drew 0.{number + 3}, chosen below 0.2"})
    drill.exchange("b", "primary", 12, missed={"cut": "the answer was not streamed", "other": "nobody asks"})

    assert account(drill).misses == {"share": 3, "the answer was not streamed": 1}
    assert account(drill).why == "not hit: share (3 requests), the answer was not streamed (1 requests)"


def test_requests_without_a_word_about_the_fault_are_counted() -> None:
    """Requests that reached the target and were neither hit nor refused with a reason are told as a number."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.traffic(0, 60)

    assert account(drill).why == "10 requests reached it"


def test_fault_that_was_never_applied_is_not_enough() -> None:
    """A planned fault that never began proves nothing."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.records.clear()
    drill.traffic(0, 60)

    assert (account(drill).enough, account(drill).why) == (False, "it was never applied")
    assert account(drill).applied_at_s is None


@pytest.mark.parametrize(("min_hits", "enough"), [(0, True), (2, True), (3, False)])
def test_hits_are_compared_with_their_minimum(min_hits: int, enough: bool) -> None:
    """min_hits: 0 asks for nothing."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10, min_hits=min_hits)
    for number in range(2):
        drill.exchange(f"a{number}", "primary", 11, hit="cut")

    assert account(drill).enough is enough


def test_refused_connections_are_believed_with_evidence() -> None:
    """A fault that leaves no trace is enough when its target was in use and calls were made meanwhile."""
    drill = Drill()
    drill.fault("down", "conn.refuse", "primary", at=10, lasts=10, counts_hits=False)
    drill.traffic(0, 10)
    drill.traffic(10, 20, "secondary")

    assert account(drill).enough
    assert "conn.refuse leaves no trace at the proxy, so its hits cannot be counted" in account(drill).why


@pytest.mark.parametrize(
    ("before", "meanwhile", "why"),
    [(False, True, "nobody had used its target before"), (True, False, "no call was sent meanwhile")],
)
def test_refused_connections_without_evidence_are_not(before: bool, meanwhile: bool, why: str) -> None:
    """A fault that leaves no trace, at a target that nobody used, may have met nobody."""
    drill = Drill()
    drill.fault("down", "conn.refuse", "primary", at=10, lasts=10, counts_hits=False)
    if before:
        drill.traffic(0, 10)
    if meanwhile:
        drill.traffic(10, 20, "secondary")

    assert not account(drill).enough
    assert why in account(drill).why


def test_fault_that_is_not_healed_yet_counts_to_the_end() -> None:
    """A run that broke off under a fault has an account of it all the same."""
    drill = Drill(ended="interrupted", healed=None)
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.records.pop()
    drill.traffic(0, 60)

    assert account(drill).healed_at_s is None
    assert account(drill).why == "50 requests reached it"
