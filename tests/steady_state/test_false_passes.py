"""The runs that Chaos Toolkit 1.19 passes wrongly, as far as judging can prevent them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaosproxy.journal.records import GateJudged, Healed, Mark, Trouble
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import CUT, ORIGIN, Drill, edge, expectation, refusing_edge


def code(drill: Drill) -> int:
    """The exit code of a run."""
    return judge(drill.journal(), drill.claims).exit_code


def test_gate_out_of_tolerance_is_no_pass() -> None:
    """Nothing was injected because the system was not well: 3, not 0."""
    drill = Drill(ended="gate", healed=None)
    drill.records.append(GateJudged(at=ORIGIN + 5, held=False, reasons=["success >= 99%: 80%"]))
    drill.traffic(0, 5)
    drill.expect("success >= 50%")

    assert code(drill) == 3


def test_fault_that_could_not_be_applied_is_no_pass() -> None:
    """The fault never existed, and the part of ours that failed says so: 5, not 0."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.records.clear()
    drill.records.append(Trouble(at=ORIGIN + 10, part="proxy", detail="it refused the plan"))
    drill.traffic(0, 60)
    drill.expect("success >= 50%")

    assert code(drill) == 5


def test_fault_that_was_quietly_never_applied_is_no_pass() -> None:
    """Even without any trouble in the journal: a planned fault that never began makes the run inconclusive."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.records.clear()
    drill.traffic(0, 60)
    drill.expect("success >= 50%")

    assert code(drill) == 3


def test_hypothesis_that_broke_in_the_middle_is_no_pass() -> None:
    """Two bad seconds of six count, although all was well again at the end."""
    drill = Drill(lasts_s=6)
    drill.fault("down", "http.status", "primary", at=2, lasts=2)
    drill.traffic(0, 2, each=0.1)
    for number in range(20):
        at = 2 + number / 10
        drill.exchange(f"f{number}", "primary", at, hit="down", sent=refusing_edge(ORIGIN + at, 503))
        drill.call(f"f{number}", at, "", took=0.1, status=503, error="http")
    drill.traffic(4, 6, each=0.1)
    drill.expect("success >= 95%")
    drill.expect("success >= 95%", "tail", id="after")
    drill.expect("success >= 95%", "down", id="under")
    drill.claims = replace(drill.claims, quiet_tail_s=2.0)

    verdict = judge(drill.journal(), drill.claims)

    assert [row.state for row in verdict.expectations] == [State.DEVIATED, State.HELD, State.DEVIATED]
    assert verdict.exit_code == 1


def test_fault_that_was_left_on_is_no_pass() -> None:
    """A heal that could not be verified is an error, whatever the hypothesis says."""
    drill = Drill(healed=False)
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.exchange("a", "primary", 11, hit="cut")
    drill.traffic(0, 60)
    drill.expect("success >= 50%")

    assert code(drill) == 5


# ------------------------------------------------------------------- what other tools do not see, and ours did not once


@pytest.mark.parametrize(
    "claim",
    [
        "success >= 95%",
        "error_rate <= 5%",
        "hung == 0",
        "content_intact >= 95%",
        "silent_truncated == 0",
        "e2e.max <= 100s",
        "stall.max <= 5s",
        "retries_per_call <= 1",
        "served_by(primary) >= 95%",
        "goodput(e2e <= 5s) >= 1.1/s",
    ],
)
def test_calls_that_never_ended_are_doubts(claim: str) -> None:
    """Twenty calls were sent and hang when the load is stopped: nothing holds by the others alone."""
    drill = Drill()
    drill.traffic(0, 60)
    for number in range(20):
        drill.sent(f"hung{number}", 11 + number / 10)
    drill.expect(claim)

    verdict = judge(drill.journal(), drill.claims)

    assert (verdict.exit_code, verdict.calls, verdict.outcomes) == (3, 80, {"ok": 60, "unfinished": 20})
    assert "20 calls had not ended" in verdict.headline


def test_call_that_ended_is_one_call() -> None:
    """Its sending and its end are two records of the same."""
    drill = Drill()
    drill.sent("a", 1)
    drill.call("a", 1)
    drill.expect("success == 100%")

    verdict = judge(drill.journal(), drill.claims)

    assert (verdict.exit_code, verdict.calls) == (0, 1)


def test_requests_of_calls_that_nobody_recorded_are_doubts() -> None:
    """A request with a tag of this run proves a call; another run's tag proves nothing."""
    drill = Drill()
    drill.traffic(0, 60)
    drill.exchange("cp-other-1", "primary", 5)
    drill.expect("success >= 95%")
    assert code(drill) == 0

    drill.exchange("cp-n-1", "primary", 5)

    assert code(drill) == 3
    assert "the load did not record (cp-n-1)" in judge(drill.journal(), drill.claims).headline


def test_gate_that_was_never_judged_is_a_doubt() -> None:
    """The file has one, the journal does not: whether the system was well before it was broken is not known."""
    drill = Drill()
    drill.claims = replace(drill.claims, gate=(expectation("success >= 99%"),))
    drill.traffic(0, 60)
    drill.expect("success >= 95%")
    assert code(drill) == 3
    assert "the gate" in judge(drill.journal(), drill.claims).headline

    drill.records.append(GateJudged(at=ORIGIN + 5, held=True))

    assert code(drill) == 0


@pytest.mark.parametrize(("seen", "expected"), [(None, 0), (True, 0), (False, 3)])
def test_heal_that_nobody_could_look_at_is_a_doubt(seen: bool | None, expected: int) -> None:
    """The proxies say that no fault acts; that the system is well again is another matter, where it is claimed."""
    drill = Drill(healed=None)
    drill.fault("cut", "stream.truncate", "primary", at=45, lasts=15)
    drill.exchange("good-primary-0-50", "primary", 50, hit="cut")
    drill.traffic(0, 60)
    drill.records.append(Healed(at=ORIGIN + 62, verified=True, seen=seen, detail="no load ran after the last fault"))
    drill.expect("success >= 50%")

    verdict = judge(drill.journal(), drill.claims)

    assert verdict.exit_code == expected
    assert ("not seen to hold again" in verdict.headline) is (seen is False)


def test_complete_run_without_an_end_of_its_timeline_is_a_doubt() -> None:
    """Windows that end with the run would end with its last record instead."""
    drill = Drill()
    drill.traffic(0, 60)
    drill.expect("success >= 95%")
    journal = drill.journal()
    marks = [record for record in journal.records if not (isinstance(record, Mark) and record.name == "over")]

    assert judge(replace(journal, records=tuple(marks)), drill.claims).exit_code == 3


def fronted(**claims: Any) -> Drill:
    """Our load calls our own listener before a gateway, whose text nobody knows but the backend behind it."""
    drill = Drill()
    drill.claims = replace(drill.claims, entry="front", backends=("front", "primary"), oracle="upstream", **claims)
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10, min_hits=0)
    return drill


@pytest.mark.parametrize("leads_on", [True, False])
def test_what_a_system_passed_on_is_no_proof_of_itself(*, leads_on: bool) -> None:
    """A listener before the system saw the same cut answer as the client: the backend's is what counts."""
    drill = fronted(leads_on=leads_on)
    for number in range(40):
        name, at = f"c{number}", 1.0 + number
        drill.exchange(name, "front", at, received=edge(ORIGIN + at, CUT), sent=edge(ORIGIN + at, CUT))
        drill.exchange(name, "primary", at + 0.01)
        drill.call(name, at, CUT, expected=None)
    drill.expect("silent_truncated == 0")

    verdict = judge(drill.journal(), drill.claims)
    assert verdict.exit_code == 1
    assert verdict.headline.startswith("40 calls got a cut answer that was passed off as whole: primary sent more")


@pytest.mark.parametrize(("leads_on", "requests"), [(True, 1), (False, 2)])
def test_a_call_at_a_listener_before_the_system_is_no_request_at_an_upstream(*, leads_on: bool, requests: int) -> None:
    """Not where the other listeners were called too; nor, where the file shows it, when a cache answered."""
    drill = fronted(leads_on=leads_on)
    drill.exchange("asked", "front", 1)
    drill.exchange("asked", "primary", 1.01)
    drill.call("asked", 1)
    drill.exchange("cached", "front", 2)
    drill.call("cached", 2)

    assert len(drill.history().asked) == requests
