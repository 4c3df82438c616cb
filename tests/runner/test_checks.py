"""What the runner knows while the run goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from chaosproxy.journal.records import Mark, Probed
from chaosproxy.runner.checks import NO_TRAFFIC, Checks
from chaosproxy.steady_state.claims import Abort
from chaosproxy.steady_state.expression import parse_expression
from tests.steady_state.drills import ORIGIN, Drill, expectation, refusing_edge


@pytest.fixture
def drill() -> Drill:
    """A run with a gate of 5 s, good so far."""
    drill = Drill()
    drill.claims = replace(drill.claims, gate=(expectation("success >= 99%"),))
    drill.traffic(-2, 12)
    return drill


class TestGate:
    """Whether anything may be injected."""

    def test_a_healthy_system_passes(self, drill: Drill) -> None:
        """No reason, no objection."""
        assert Checks(drill.claims).gate(drill.journal().records, 5.0) == []

    def test_a_sick_system_is_named_with_what_was_seen(self, drill: Drill) -> None:
        """The reason holds the expectation and the observation."""
        drill.call("bad", 2, "", error="connect")

        assert Checks(drill.claims).gate(drill.journal().records, 5.0) == [
            "success >= 99%: observed 83.33% over 6 samples"
        ]

    def test_what_is_not_known_is_no_failure(self, drill: Drill) -> None:
        """The number alone looks good enough: first comes why it says nothing, and that nothing spoke against it."""
        claims = replace(drill.claims, oracle="upstream")
        nameless = Drill(claims)
        for second in range(5):
            nameless.call(f"c{second}", second, expected=None)
        checks = Checks(claims)

        assert checks.gate(nameless.journal().records, 5.0, ORIGIN + 7) == [
            "success >= 99% could not be judged: the right text of 5 calls is not known (observed 100% over 5 samples)"
        ]
        assert checks.gate_unknown

    def test_one_failure_for_certain_is_no_mere_doubt(self, drill: Drill) -> None:
        """What else is not known changes nothing about it."""
        claims = replace(drill.claims, gate=(expectation("success >= 99%"), expectation("ttft.p95 <= 1s")))
        drill.call("bad", 2, "", error="connect")
        checks = Checks(claims)

        assert checks.gate(drill.journal().records, 5.0)
        assert not checks.gate_unknown

    def test_no_call_at_all_does_not_pass(self, drill: Drill) -> None:
        """An upstream that hangs gives no call to look at, and so no reason to go on."""
        drill.records.clear()

        reasons = Checks(drill.claims).gate(drill.journal().records, 5.0)

        assert reasons is not None
        assert "no calls" in reasons[0]

    def test_calls_that_are_under_way_are_waited_for(self, drill: Drill) -> None:
        """What they become may decide; when they have ended, it is decided."""
        checks = Checks(drill.claims)
        drill.sent("slow", 4.9)

        assert checks.gate(drill.journal().records, 5.0) is None
        drill.call("slow", 4.9)
        assert checks.gate(drill.journal().records, 5.0) == []

    def test_nobody_waits_for_what_is_bad_for_certain(self, drill: Drill) -> None:
        """However the open call ends."""
        drill.sent("slow", 4.9)
        drill.call("bad", 2, "", error="connect")

        assert Checks(drill.claims).gate(drill.journal().records, 5.0)

    def test_at_the_last_look_a_call_that_should_have_ended_is_a_doubt(self, drill: Drill) -> None:
        """Every second call hangs, and the others are answered at once: no good time to break anything."""
        for at in range(5):
            drill.sent(f"hung-{at}", at + 0.5)

        (reason,) = Checks(drill.claims).gate(drill.journal().records, 5.0, ORIGIN + 6.5) or [""]

        assert reason.startswith("success >= 99% could not be judged: 5 calls had not ended")
        assert reason.endswith("(observed 50% over 10 samples)")
        assert "5 calls had not ended" in reason

    def test_at_the_last_look_a_young_call_is_left_out(self, drill: Drill) -> None:
        """Good calls take a second, it has had half of one."""
        drill.sent("young", 4.9)

        assert Checks(drill.claims).gate(drill.journal().records, 5.0, ORIGIN + 5.4) == []

    def test_answer_whose_exchange_is_not_reported_yet_is_waited_for(self, drill: Drill) -> None:
        """The proxy's record of an exchange may arrive after the client's record of the call."""
        checks = Checks(replace(drill.claims, oracle="upstream"))
        drill.call("new", 4.2, expected=None)

        assert checks.gate(drill.journal().records, 5.0) is None
        drill.exchange("new", "primary", 4.2)
        assert checks.gate(drill.journal().records, 5.0) == []

    def test_without_a_gate_something_must_have_worked(self, drill: Drill) -> None:
        """The default: one success since the warm-up began, for which there is time until the first fault."""
        claims = replace(drill.claims, gate=())
        alive, dead = Checks(claims).gate(drill.journal().records, 5.0), Drill(claims)
        dead.call("bad", 1, "", error="connect")

        assert alive == []
        assert Checks(claims).gate(dead.journal().records, 5.0) is None
        assert Checks(claims).gate(dead.journal().records, 5.0, ORIGIN + 5) == [
            "success > 0%: observed 0% over 1 samples"
        ]


class TestFailures:
    """Why the gate did not hold."""

    def test_the_upstream_that_cannot_be_reached_is_named(self, drill: Drill) -> None:
        """What our own listener met says more than the 502 that the client saw."""
        drill.exchange("bad", "primary", 2, error="connect: connection refused")
        drill.call("bad", 2, "", error="http", status=502)

        assert Checks(drill.claims).failures(drill.journal().records) == [
            "1 of 1 failed calls met the upstream of primary: connect: connection refused"
        ]

    def test_without_an_exchange_the_client_is_asked(self, drill: Drill) -> None:
        """A system under test that refuses connections never reaches our listeners."""
        drill.call("bad", 2, "", error="connect")

        assert Checks(drill.claims).failures(drill.journal().records) == ["1 of 1 failed calls met connect"]

    def test_nothing_failed_nothing_said(self, drill: Drill) -> None:
        """A gate can also fail for slowness."""
        assert Checks(drill.claims).failures(drill.journal().records) == []


class TestAbort:
    """When the run must end early."""

    def test_it_looks_at_the_calls_of_the_last_seconds(self, drill: Drill) -> None:
        """Ten seconds of success do not hide that nothing works now; old calls are forgotten."""
        abort = Abort(parse_expression("error_rate > 50%"), for_s=2.0, min_samples=2)
        checks = Checks(replace(drill.claims, aborts=(abort,)))
        for at in (12, 12.5, 13):
            drill.call(f"bad-{at}", at, "", took=0.1, error="connect")
        for record in drill.journal().records:
            checks.notice(record)

        assert checks.abort(ORIGIN + 14) == "error_rate > 50%"
        assert checks.abort(ORIGIN + 60) is None


class TestHeal:
    """Whether the system is well again after the last fault."""

    def test_the_gate_must_hold_again_in_some_span(self, drill: Drill) -> None:
        """A bad second after the heal is forgiven when a good span follows in time."""
        drill.call("bad", 12.2, "", error="connect")
        drill.traffic(13, 30)

        assert Checks(drill.claims).healed(drill.journal().records, 12.0, 10.0, 60.0) == (True, [])

    def test_a_system_that_stays_sick_is_not_healed(self, drill: Drill) -> None:
        """The reason is that of the last span that was tried."""
        for at in range(12, 30):
            drill.call(f"bad-{at}", at, "", error="connect")

        seen, (reason,) = Checks(drill.claims).healed(drill.journal().records, 12.0, 10.0, 60.0)

        assert seen
        assert reason.startswith("success >= 99%: observed 0% over")

    def test_without_time_after_the_heal_nothing_is_seen(self, drill: Drill) -> None:
        """The last fault ends with the load: the proxies' word is not the gate's."""
        seen, reasons = Checks(drill.claims).healed(drill.journal().records, 12.0, 10.0, 12.0)

        assert (seen, reasons) == (False, ["no load ran any more"])

    def test_without_calls_after_the_heal_nothing_is_seen(self, drill: Drill) -> None:
        """A load with a number of calls may be over before its time is."""
        seen, (reason,) = Checks(drill.claims).healed(drill.journal().records, 13.0, 10.0, 60.0)

        assert not seen
        assert "no calls" in reason

    def test_a_short_rest_that_is_bad_is_seen(self, drill: Drill) -> None:
        """Too little time to hold the gate, and enough to see that it does not."""
        drill.call("bad", 12.2, "", error="connect")

        assert Checks(drill.claims).healed(drill.journal().records, 12.0, 10.0, 13.0).seen


class TestProbes:
    """What the run itself looks at."""

    def looked(self, at: float, outcome: Literal["ok", "failed", "unknown"]) -> Probed:
        """One run of a probe."""
        return Probed(probe="health", at=ORIGIN + at, took_s=0.1, outcome=outcome, detail="down")

    def test_they_gate_a_run(self, drill: Drill) -> None:
        """Those that began in its window."""
        drill.claims = replace(drill.claims, gate=(expectation("probe(health).success == 100%"),))
        drill.records += [self.looked(-1, "failed"), self.looked(1, "ok")]
        assert Checks(drill.claims).gate(drill.journal().records, 5.0) == []

        drill.records.append(self.looked(2, "failed"))
        assert Checks(drill.claims).gate(drill.journal().records, 5.0) == [
            "probe(health).success == 100%: observed 50% over 2 samples"
        ]

    def test_they_abort_a_run(self, drill: Drill) -> None:
        """After a lasting failure; what is long past is forgotten."""
        when = parse_expression("probe(health).success < 100%")
        checks = Checks(replace(drill.claims, aborts=(Abort(when, for_s=2.0),)))
        checks.notice(Mark(name="warmup", at=ORIGIN - 2))
        for at in range(5):
            checks.notice(self.looked(at, "failed"))

        assert checks.abort(ORIGIN + 4.2) == "probe(health).success < 100%"
        assert checks.abort(ORIGIN + 40.0) is None


class TestTrafficOfOthers:
    """What is known while calls are those of somebody else."""

    @pytest.fixture
    def others(self, drill: Drill) -> Drill:
        """No calls are reported; backends were asked."""
        drill.claims = replace(drill.claims, external=True, gate=(), gate_window_s=0.0)
        drill.records.clear()
        return drill

    def test_without_an_entry_listener_one_answer_shows_life(self, others: Drill) -> None:
        """Nobody sees calls, so a backend that answered has to do."""
        checks = Checks(others.claims)
        assert checks.gate(others.journal().records, 5.0) is None
        assert checks.gate(others.journal().records, 5.0, ORIGIN + 5) == [NO_TRAFFIC]

        others.exchange(None, "primary", 1.0, sent=refusing_edge(ORIGIN + 1, 503))
        assert checks.gate(others.journal().records, 5.0, ORIGIN + 5) == [
            "1 requests reached our listeners, and none of them was answered"
        ]

        others.exchange(None, "primary", 2.0)
        assert checks.gate(others.journal().records, 5.0) == []

    def test_failures_at_the_entry_abort_a_run(self, others: Drill) -> None:
        """As those that a load of ours reports."""
        abort = Abort(parse_expression("error_rate > 50%"), for_s=2.0, min_samples=3)
        others.claims = replace(others.claims, entry="primary", aborts=(abort,))
        checks = Checks(others.claims)
        for quarter in range(16):
            others.exchange(None, "primary", quarter / 4, sent=refusing_edge(ORIGIN + quarter / 4, 503))
        for record in others.journal().records:
            checks.notice(record)

        assert checks.abort(ORIGIN + 3.5) == "error_rate > 50%"
