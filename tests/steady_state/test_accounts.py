"""The accounts of faults: a fault that met nobody is never part of a pass, and the report says why it did not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from chaosproxy.journal.records import FaultEdge
from chaosproxy.journal.traffic import FaultHit
from chaosproxy.steady_state.accounts import account_of
from chaosproxy.steady_state.claims import Moment
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import ORIGIN, Drill

if TYPE_CHECKING:
    from chaosproxy.steady_state.findings import FaultAccount


def account(drill: Drill) -> FaultAccount:
    """The account of the first fault."""
    return account_of(drill.history(), drill.claims.faults[0], completed=drill.ended == "completed")


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


# ----------------------------------------------------------------------------------------- planned, and what was done


def hit_once(at: float = 10.1, lasts: float = 15, **settings: Any) -> Drill:
    """A fault from 10 s on that met a call, in a run of good calls."""
    drill = Drill()
    drill.fault("part", "partition", "primary", at=10, lasts=lasts, **settings)
    drill.exchange("h", "primary", at, hit="part")
    drill.call("h", at)
    drill.traffic(0, 60)
    drill.expect("success >= 95%")
    return drill


def change(drill: Drill, edge: str, **changes: Any) -> Drill:
    """One edge of the fault as it really was."""
    drill.records = [
        record.model_copy(update=changes) if isinstance(record, FaultEdge) and record.edge == edge else record
        for record in drill.records
    ]
    return drill


def told(drill: Drill) -> str:
    """Why the run proves nothing; nothing when it does."""
    verdict = judge(drill.journal(), drill.claims)
    assert (verdict.verdict is State.HELD) == verdict.faults[0].enough
    return verdict.faults[0].why


def test_fault_that_lost_its_lease_is_not_the_planned_one() -> None:
    """What survived 0.4 s of a partition has not survived 15 s of it."""
    drill = change(hit_once(), "healed", at=ORIGIN + 10.4, why="lease")

    assert told(drill) == "it ended after 400ms of 15.00s because its lease ran out"
    assert "did not act as planned" in judge(drill.journal(), drill.claims).headline


def test_lease_that_ran_out_is_not_forgotten() -> None:
    """A second begin and a regular end do not fill the gap."""
    drill = change(hit_once(), "healed", at=ORIGIN + 25, why="lasts")
    for edge, at, why in (("healed", 12, "lease"), ("applied", 20, "")):
        drill.records.insert(
            1,
            FaultEdge(fault="part", edge=edge, at=ORIGIN + at, listeners=["primary"], why=why),  # type: ignore[arg-type]
        )

    assert "because its lease ran out" in told(drill)


@pytest.mark.parametrize(
    ("lasted", "why"),
    [
        (15, ""),
        (13.6, ""),
        (13.4, "it ended after 13.40s of 15.00s (cleared)"),
        (1, "it ended after 1.00s of 15.00s (cleared)"),
    ],
)
def test_fault_that_ended_early_is_not_the_planned_one(lasted: float, why: str) -> None:
    """A tenth of its duration may be missing."""
    assert told(change(hit_once(), "healed", at=ORIGIN + 10 + lasted, why="cleared")) == why


@pytest.mark.parametrize(("lasted", "enough"), [(0.3, True), (0.1, False)])
def test_short_fault_may_lose_less_than_half(lasted: float, enough: bool) -> None:
    """Half a second is much for a fault of 400 ms."""
    assert (told(change(hit_once(lasts=0.4), "healed", at=ORIGIN + 10 + lasted)) == "") is enough


@pytest.mark.parametrize(("late", "why"), [(1.4, ""), (14.5, "it began 14.50s later than planned")])
def test_fault_that_came_late_is_not_the_planned_one(late: float, why: str) -> None:
    """Its planned begin is part of the plan."""
    drill = change(hit_once(10 + late), "applied", at=ORIGIN + 10 + late)

    assert told(change(drill, "healed", at=ORIGIN + 25 + late)) == why


@pytest.mark.parametrize(("offset", "why"), [(2, ""), (-5, "it began 7.00s later than planned")])
def test_fault_that_follows_another_is_due_by_its_real_time(offset: float, why: str) -> None:
    """Not by the estimate: a late first fault makes no second one late."""
    drill = change(change(hit_once(15), "applied", at=ORIGIN + 14), "healed", at=ORIGIN + 29)
    drill.fault("first", "http.status", "primary", at=8, lasts=4)
    follower = replace(drill.claims.faults[0], at_s=None, follows=Moment("first.healed", offset))
    drill.claims = replace(drill.claims, faults=(follower,))

    assert told(drill) == why


def test_end_that_nobody_saw_proves_nothing() -> None:
    """A completed run knows when its faults ended; one that broke off says so elsewhere."""
    drill = hit_once()
    drill.records.pop(1)

    assert told(drill) == "the journal does not say when it ended"
    drill.ended = "interrupted"
    assert account(drill).enough


def test_fault_that_missed_one_of_its_targets_is_not_the_planned_one() -> None:
    """Planned at two listeners, applied at one."""
    drill = hit_once()
    drill.claims = replace(drill.claims, faults=(replace(drill.claims.faults[0], targets=("primary", "secondary")),))

    assert told(drill) == "it was never applied at secondary"


def test_flapping_is_no_early_end() -> None:
    """A fault that comes and goes acts from its first to its last time."""
    drill = hit_once()
    for edge, at in (("flap_up", 13), ("flap_down", 16)):
        drill.records.append(
            FaultEdge(fault="part", edge=edge, at=ORIGIN + at, listeners=["primary"])  # type: ignore[arg-type]
        )

    assert told(drill) == ""


def test_fault_that_was_never_applied_is_missing_whatever_it_should_hit() -> None:
    """min_hits: 0 asks for no hit, and still for the fault."""
    drill = hit_once(min_hits=0)
    drill.records = [record for record in drill.records if not isinstance(record, FaultEdge)]

    assert told(drill) == "it was never applied"


def test_hits_outside_of_its_time_do_not_count() -> None:
    """Something else was hit, or some clock is wrong."""
    drill = hit_once(40)

    assert (account(drill).hits, account(drill).enough) == (0, False)


def test_hits_on_others_than_the_load_do_not_count() -> None:
    """A gateway's health check was hit, and no call was: the fault has met nobody that is looked at."""
    drill = Drill()
    drill.fault("part", "partition", "primary", at=10, lasts=15)
    drill.exchange(None, "primary", 11, hit="part", path="/health", method="GET")
    drill.traffic(0, 60, "secondary")
    drill.expect("success >= 95%")

    assert (account(drill).hits, account(drill).load_hits, account(drill).enough) == (1, 0, False)
    headline = judge(drill.journal(), drill.claims).headline
    assert "made 0 of at least 1 hits on calls of the load (1 in all)" in headline


def test_hits_count_for_a_load_without_tags() -> None:
    """Whose they are is not known; somebody was met."""
    drill = Drill()
    drill.fault("part", "partition", "primary", at=10, lasts=15)
    drill.exchange(None, "primary", 11, hit="part")
    drill.call("a", 11, tagged=False)

    assert (account(drill).load_hits, account(drill).enough) == (1, True)


def test_connections_without_a_request_count() -> None:
    """A fault on connections meets them before anybody can say whose they are."""
    drill = Drill()
    drill.fault("part", "conn.slow_accept", "primary", at=10, lasts=15)
    drill.records.append(FaultHit(fault="part", at=ORIGIN + 11, listener="primary"))
    drill.traffic(0, 60)

    assert (account(drill).load_hits, account(drill).enough) == (1, True)


def test_many_hits_on_one_exchange_are_one() -> None:
    """min_hits asks for requests (or connections without one), not for events."""
    drill = hit_once(min_hits=2)
    hit = next(record for record in drill.records if isinstance(record, FaultHit))
    drill.records += [hit.model_copy(update={"at": hit.at + number}) for number in range(1, 6)]

    assert (account(drill).hits, account(drill).enough) == (1, False)
    drill.records += [hit.model_copy(update={"exchange": None}) for _ in range(2)]
    assert (account(drill).hits, account(drill).enough) == (3, True)
