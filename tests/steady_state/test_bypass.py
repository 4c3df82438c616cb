"""The system under test does not call our listeners: what the headline says then, and when it must not say so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaosproxy.journal.records import GateJudged, Trouble
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import ORIGIN, Drill

HEADLINE = (
    "no request reached the listeners primary and secondary, though 31 of 31 calls were answered: does the system call "
    "these listeners, or did it answer everything from elsewhere (a backend's own address, a cache)?"
)


@pytest.fixture
def drill() -> Drill:
    """A gateway that calls other ports: right answers, no exchange, a fault that met nobody."""
    drill = Drill()
    drill.claims = replace(drill.claims, oracle="upstream")
    drill.fault("f", "http.status", "primary", at=10, lasts=10)
    for second in range(31):
        drill.call(f"c{second}", second, expected=None)
    drill.expect("success >= 95%")
    return drill


def headline(drill: Drill) -> tuple[str, str]:
    """The verdict and its first sentence."""
    verdict = judge(drill.journal(), drill.claims)
    return verdict.verdict.value, verdict.headline


def test_a_system_that_goes_round_the_listeners_is_told_first(drill: Drill) -> None:
    """Not that texts are unknown, which only follows from it; the rest stands behind."""
    verdict = judge(drill.journal(), drill.claims)

    assert (verdict.verdict.value, verdict.headline) == ("inconclusive", HEADLINE)
    assert [finding.about for finding in verdict.findings] == [("primary", "secondary"), ("success",), ("f",)]


def test_it_is_told_first_where_the_gate_could_not_be_judged_for_it(drill: Drill) -> None:
    """The gate compares texts, too."""
    reasons = ["success >= 95% could not be judged"]
    drill.records.append(GateJudged(at=ORIGIN + 5, held=False, reasons=reasons))
    drill.ended = "gate"

    assert headline(drill) == ("inconclusive", HEADLINE)


def test_one_listener_is_named_as_one(drill: Drill) -> None:
    """The sentence counts."""
    drill.claims = replace(drill.claims, backends=("primary",))

    assert headline(drill)[1].startswith("no request reached the listener primary, though 31 of 31 calls were answered")


def test_one_request_is_enough_to_know_better(drill: Drill) -> None:
    """Whoever asked, the system knows the address."""
    drill.exchange(None, "secondary", 3)

    assert "no request reached the listener" not in headline(drill)[1]


def test_calls_that_nobody_answered_are_another_matter(drill: Drill) -> None:
    """The system did not work at all: what the calls failed with says more."""
    failed = replace(drill, records=[record for record in drill.records if record.type != "call"])
    failed.call("bad", 3, "", error="connect")

    assert "no request reached the listener" not in headline(failed)[1]


def test_lost_records_are_no_proof_that_nobody_came(drill: Drill) -> None:
    """The requests may be among them."""
    drill.records.append(Trouble(at=ORIGIN, part="events", detail="12 records"))

    assert "no request reached the listener" not in headline(drill)[1]


def test_a_fault_without_a_trace_may_have_turned_all_of_them_away(drill: Drill) -> None:
    """A refused port sees nobody, and a fallback elsewhere may answer."""
    drill.fault("refused", "conn.refuse", "primary", at=-2, lasts=60, counts_hits=False)

    assert "no request reached the listener" not in headline(drill)[1]


def test_what_was_judged_all_the_same_stays_judged() -> None:
    """A cache whose texts are known, and a fault of which nobody wants a hit: no new doubt."""
    drill = Drill()
    drill.fault("f", "http.status", "primary", at=10, lasts=10, min_hits=0)
    for second in range(31):
        drill.call(f"c{second}", second)
    drill.expect("success >= 95%")

    assert headline(drill)[0] == "held"
