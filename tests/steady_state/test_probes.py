"""What the verdict says about probes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaosproxy.journal.records import Probed
from chaosproxy.steady_state.claims import Abort, PlannedProbe
from chaosproxy.steady_state.expression import parse_expression
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.history import history_of
from chaosproxy.steady_state.measures import abort_met
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import ORIGIN, Drill

DOWN = "status 503, expected 200"
BLIND = "the Prometheus server: connection refused"


@pytest.fixture
def drill() -> Drill:
    """A minute of good calls, and a probe that nobody has run yet."""
    drill = Drill()
    drill.traffic(0, 60)
    drill.claims = replace(drill.claims, probes=(PlannedProbe("health", "http"),))
    return drill


def look(drill: Drill, first: int, last: int, outcome: str = "ok", value: float | None = 0.1, **more: Any) -> None:
    """One run a second."""
    for at in range(first, last):
        facts = {"probe": "health", "at": ORIGIN + at, "took_s": 0.1, "outcome": outcome, "value": value, **more}
        drill.records.append(Probed(**facts))


def judged(drill: Drill, text: str, over: str = "all", **settings: Any) -> Verdict:
    """The verdict on one expectation."""
    drill.expect(text, over, **settings)
    return judge(drill.journal(), drill.claims)


class TestSuccess:
    def test_it_is_the_share_of_runs_in_the_window(self, drill: Drill) -> None:
        """The same in a window where it holds, and in one where it does not."""
        look(drill, 0, 30)
        look(drill, 30, 60, "failed", None, detail=DOWN)

        drill.expect("probe(health).success == 100%", "0s..30s", id="first")
        verdict = judged(drill, "probe(health).success >= 75%")

        assert [(row.state, row.value, row.samples) for row in verdict.expectations] == [
            (State.HELD, 1.0, 30),
            (State.DEVIATED, 0.5, 60),
        ]
        assert verdict.exit_code == 1

    def test_a_deviation_names_the_first_failure(self, drill: Drill) -> None:
        """When, and in whose words."""
        look(drill, 0, 10)
        look(drill, 10, 12, "failed", None, detail=DOWN)

        assert judged(drill, "probe(health).success == 100%").headline == (
            f"probe(health).success == 100% does not hold in all: 83.33%; health first failed at 10.0s: {DOWN}"
        )

    def test_a_run_that_could_not_look_may_have_been_either(self, drill: Drill) -> None:
        """So it decides nothing, where it matters; and nothing is claimed of it where it does not."""
        look(drill, 0, 9)
        look(drill, 9, 10, "unknown", None, detail=BLIND)
        drill.expect("probe(health).success >= 80%", id="sure")
        drill.expect("probe(health).success < 50%", id="never")

        verdict = judged(drill, "probe(health).success >= 95%", id="unsure")

        assert [row.state for row in verdict.expectations] == [State.HELD, State.DEVIATED, State.INCONCLUSIVE]
        assert verdict.expectations[2].why == f"1 of 10 runs could not look: {BLIND}"

    def test_one_that_failed_after_the_window_may_have_been_either(self, drill: Drill) -> None:
        """It began before the fault, and was answered under it; or it hung from within the window on."""
        look(drill, 0, 29)
        look(drill, 29, 30, "failed", None, detail=DOWN, took_s=1.5)
        drill.expect("probe(health).success >= 90%", "0s..30s", id="sure")
        drill.expect("probe(health).success == 100%", "0s..31s", id="known")

        verdict = judged(drill, "probe(health).success == 100%", "0s..30s", id="unsure")

        assert [row.state for row in verdict.expectations] == [State.HELD, State.DEVIATED, State.INCONCLUSIVE]
        assert verdict.expectations[2].why == f"1 of 30 runs failed when the window was over: {DOWN}"

    def test_a_probe_that_never_ran_proves_nothing(self, drill: Drill) -> None:
        """Exit code 3, with the reason."""
        verdict = judged(drill, "probe(health).success >= 0%")

        assert verdict.exit_code == 3
        assert "probe 'health' did not run in the window 'all'" in verdict.headline


class TestValue:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("probe(health).value.min == 0", 0.0),
            ("probe(health).value.max == 19", 19.0),
            ("probe(health).value.mean == 9.5", 9.5),
            ("probe(health).value.p50 == 9", 9.0),
            ("probe(health).value.count == 20", 20.0),
            ("probe(health).value.sum == 190", 190.0),
        ],
    )
    def test_aggregates(self, drill: Drill, text: str, value: float) -> None:
        """Of all values in the window."""
        for at in range(20):
            look(drill, at, at + 1, value=float(at))

        (row,) = judged(drill, text).expectations

        assert (row.state, row.value, row.samples) == (State.HELD, value, 20)

    def test_a_failed_run_without_a_value_may_have_had_any(self, drill: Drill) -> None:
        """Else a server that answers fast or not at all would be a fast one."""
        look(drill, 0, 9, value=0.1)
        look(drill, 9, 10, "failed", None, detail="connection refused")

        (row,) = judged(drill, "probe(health).value.max <= 0.5").expectations

        assert (row.state, row.why) == (
            State.INCONCLUSIVE,
            "1 of 10 runs failed without a value: connection refused",
        )

    def test_what_is_broken_for_certain_deviates_all_the_same(self, drill: Drill) -> None:
        """No cowardice."""
        look(drill, 0, 9, value=0.9)
        look(drill, 9, 10, "unknown", None, detail=BLIND)

        assert judged(drill, "probe(health).value.max <= 0.5").exit_code == 1

    def test_a_mean_with_an_unknown_run_is_unknown(self, drill: Drill) -> None:
        """On both sides."""
        look(drill, 0, 9, value=0.9)
        look(drill, 9, 10, "unknown", None, detail=BLIND)
        drill.expect("probe(health).value.mean <= 0.5", id="low")

        verdict = judged(drill, "probe(health).value.mean >= 0.5", id="high")

        assert [row.state for row in verdict.expectations] == [State.INCONCLUSIVE] * 2

    def test_probes_without_values_cannot_be_judged_by_them(self, drill: Drill) -> None:
        """Such as a function that returns True."""
        look(drill, 0, 10, value=None)

        assert "no run of probe 'health' in 'all' had a value" in judged(drill, "probe(health).value.max < 1").headline

    def test_percentiles_need_their_samples(self, drill: Drill) -> None:
        """As everywhere."""
        look(drill, 0, 19)

        (row,) = judged(drill, "probe(health).value.p50 <= 1").expectations

        assert (row.state, row.why) == (State.INCONCLUSIVE, "19 samples, it needs 20")


class TestAbort:
    def met(self, drill: Drill, text: str, for_s: float, now: float) -> bool:
        """Whether a condition would end the run."""
        history = history_of(drill.journal().records, drill.claims)
        return abort_met(history, Abort(parse_expression(text), for_s), ORIGIN + now)

    def test_it_must_fail_all_the_time(self, drill: Drill) -> None:
        """A good run in between is a break."""
        look(drill, 0, 10)
        look(drill, 10, 20, "failed", None, detail=DOWN)
        broken = "probe(health).success < 100%"

        assert not self.met(drill, broken, 3.0, 9.9)
        assert not self.met(drill, broken, 3.0, 12.0)
        assert self.met(drill, broken, 3.0, 13.5)

    def test_one_that_could_not_look_aborts_nothing(self, drill: Drill) -> None:
        """A monitor that is down is not a system that is down."""
        look(drill, 0, 20, "unknown", None, detail=BLIND)

        assert not self.met(drill, "probe(health).success < 100%", 3.0, 13.5)

    def test_values_abort_too(self, drill: Drill) -> None:
        """Such as memory."""
        look(drill, 0, 20, value=900.0)

        assert self.met(drill, "probe(health).value.max > 800", 3.0, 13.5)
        assert not self.met(drill, "probe(health).value.max > 901", 3.0, 13.5)


def test_the_report_has_an_account_of_each(drill: Drill) -> None:
    """Runs, the share of those that were known, the last value, and the first failure."""
    look(drill, 0, 6, value=0.25)
    look(drill, 6, 8, "failed", None, detail=DOWN)
    look(drill, 8, 10, "unknown", None, detail=BLIND)

    (account,) = judged(drill, "success >= 0%").probes

    assert (account.runs, account.blind, account.share_ok, account.last_value) == (10, 2, 0.75, 0.25)
    assert (account.first_failure, account.blind_why) == (f"at 6.0s: {DOWN}", BLIND)
