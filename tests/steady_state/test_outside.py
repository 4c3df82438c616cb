"""The control cohort, hooks and webhooks in a verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaosproxy.journal.records import Hooked, Notified
from chaosproxy.plan.decision import SPARED
from chaosproxy.plan.rule import Match
from chaosproxy.steady_state.cohorts import ControlCohort
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import ORIGIN, Drill

CONTROL = ControlCohort(Match(header={"x-group": "b"}), {"chat": (), "spared": (("X-Group", "b"),)})


@pytest.fixture
def drill() -> Drill:
    """A fault of ten seconds on half of the calls; the other half is the control cohort, and well."""
    drill = Drill()
    drill.claims = replace(drill.claims, control=CONTROL)
    drill.fault("cut", "stream.truncate", "primary", 10, 10)
    for at in range(60):
        broken = 10 <= at < 20
        drill.exchange(f"c{at}", "primary", at, hit="cut" if broken else None)
        if broken:
            drill.call(f"c{at}", at, "", error="reset")
        else:
            drill.call(f"c{at}", at)
        drill.exchange(f"s{at}", "primary", at, missed={"cut": SPARED} if broken else {})
        drill.call(f"s{at}", at, load="spared")
    return drill


def judged(drill: Drill) -> Verdict:
    """Its verdict."""
    return judge(drill.journal(), drill.claims)


class TestControl:
    """Calls that faults are not for."""

    def test_no_other_measure_looks_at_them(self, drill: Drill) -> None:
        """Half of the calls without any fault must not make up for the broken ones."""
        drill.expect("success >= 90%", "cut")
        drill.expect("success >= 90%", id="new", cohort="new")
        verdict = judged(drill)

        assert [row.state for row in verdict.expectations] == [State.DEVIATED, State.DEVIATED]
        assert (verdict.calls, verdict.outcomes) == (60, {"ok": 50, "error": 10})

    def test_they_are_reported_beside_the_others(self, drill: Drill) -> None:
        """By the same measure over the same window, where that is a property of calls."""
        drill.expect("success >= 0%", "steady, cut")
        drill.expect("ttft.max <= 1s")
        drill.expect("upstream_requests < 1000")
        first, second, third, fourth = judged(drill).expectations

        assert (first.observed, first.control) == ("100%", "100%")
        assert (second.observed, second.control, second.control_value) == ("0%", "100%", 1.0)
        assert (third.observed, third.control) == ("never", "200ms")
        assert fourth.control is None

    def test_they_can_be_claimed(self, drill: Drill) -> None:
        """And their number is in the report."""
        drill.expect("success == 100%", "cut", cohort="control")
        verdict = judged(drill)

        assert verdict.exit_code == 0, verdict.findings
        assert verdict.control is not None
        assert (verdict.control.calls, verdict.control.outcomes) == (60, {"ok": 60})
        assert verdict.expectations[0].samples == 10

    def test_one_that_was_hit_is_none(self, drill: Drill) -> None:
        """Somebody took away what tells it apart."""
        drill.expect("success >= 0%")
        drill.exchange("s12", "primary", 12, hit="cut")

        assert judged(drill).exit_code == 3
        assert "1 calls of the control cohort were hit by faults" in judged(drill).headline

    def test_one_of_the_others_that_was_spared_is_a_doubt_too(self, drill: Drill) -> None:
        """Somebody added it."""
        drill.expect("success >= 0%")
        drill.exchange("c12", "primary", 12, missed={"cut": SPARED})

        assert "1 calls that are not of the control cohort were spared like it" in judged(drill).headline

    def test_a_cohort_of_nobody_compares_nothing(self, drill: Drill) -> None:
        """Its load never came."""
        drill.expect("success >= 0%")
        drill.records = [record for record in drill.records if getattr(record, "load", "") != "spared"]

        assert judged(drill).headline == "no call was made in the control cohort"

    def test_membership_goes_by_what_the_load_sends(self, drill: Drill) -> None:
        """Header, model, path, api and stream of the request."""
        call = next(record for record in drill.journal().records if getattr(record, "type", "") == "call")
        for match, load, held in (
            (Match(header={"x-group": "b"}), "spared", True),
            (Match(header={"x-group": "b"}), "chat", False),
            (Match(model="m"), "chat", True),
            (Match(stream=False), "chat", False),
            (Match(path="/v1/chat/*", method="POST", dialect="openai.*"), "unknown", True),
        ):
            assert replace(CONTROL, match=match).holds(call.model_copy(update={"load": load})) is held  # type: ignore[arg-type]


class TestOutside:
    """What a verdict makes of hooks and webhooks."""

    def test_an_undo_that_failed_is_an_error_whatever_else_happened(self, drill: Drill) -> None:
        """Also when the run held, and when it was interrupted."""
        drill.expect("success >= 0%")
        drill.records.append(Hooked(hook="h", what="do", at=ORIGIN + 1))
        drill.records.append(Hooked(hook="h", what="undo", at=ORIGIN + 9, ok=False, detail="exit code 1"))
        for ended in ("completed", "interrupted"):
            drill.ended = ended
            assert judged(drill).exit_code == 5
            assert "hook 'h' could not be undone (exit code 1)" in judged(drill).findings[0].sentence
        (account,) = judged(drill).hooks
        assert (account.done_at_s, account.undone_at_s, account.failed) == (1.0, None, "undo: exit code 1")

    def test_a_do_that_was_broken_off_is_no_error_of_its_own(self, drill: Drill) -> None:
        """Its run was."""
        drill.expect("success >= 0%")
        drill.ended = "interrupted"
        drill.records.append(Hooked(hook="h", what="do", at=ORIGIN + 1, ok=False, detail="the run ended before it did"))
        drill.records.append(Hooked(hook="h", what="undo", at=ORIGIN + 9))

        assert judged(drill).exit_code == 130

    def test_a_deaf_webhook_is_a_note(self, drill: Drill) -> None:
        """It says nothing about the system."""
        drill.expect("success >= 0%")
        heard = Notified(webhook="h.example", event="heal", at=ORIGIN + 1)
        drill.records += [heard, heard.model_copy(update={"event": "inject", "ok": False, "detail": "status 500"})]
        verdict = judged(drill)

        assert verdict.exit_code == 0
        (note,) = [finding for finding in verdict.findings if "webhook" in finding.sentence]
        assert note.sentence == "the webhook at h.example did not take 1 of 2 messages: status 500"
