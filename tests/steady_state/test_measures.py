"""Measures: values, bounds where something is not known, windows and cohorts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.journal.records import Trouble
from chaosproxy.journal.traffic import Call, Lag
from chaosproxy.steady_state.claims import Abort, Sustained
from chaosproxy.steady_state.expression import parse_expression, parse_window
from chaosproxy.steady_state.history import history_of
from chaosproxy.steady_state.measures import abort_met, observe
from chaosproxy.steady_state.narration import deviations
from chaosproxy.steady_state.observation import Observation, State, aggregated, needed_samples
from tests.steady_state.drills import CUT, LOSSY, ORIGIN, Drill, edge, expectation, refusing_edge, silent_edge


def observed(drill: Drill, text: str, over: str = "all", **settings: Any) -> Observation:
    """What is observed for one expectation in one window."""
    (observation,) = observe(drill.history(), expectation(text, over, **settings))
    return observation


def state(drill: Drill, text: str, over: str = "all", **settings: Any) -> State:
    """Whether an expectation holds."""
    return observed(drill, text, over, **settings).state(parse_expression(text))


def late(drill: Drill, at: float, by_s: float, process: str = "load") -> None:
    """Our own process was late in the second before ``at``."""
    drill.records.append(Lag(process=process, what="loop", at=ORIGIN + at, samples=50, p99_s=by_s, max_s=by_s))


@pytest.fixture
def mixed() -> Drill:
    """Ten calls, one of each kind and two more good ones."""
    drill = Drill()
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("", {"error": "http", "status": 500}),
        ("", {"error": "timeout", "status": None}),
        ("", {"error": "hung", "status": None}),
        (CUT, {}),
        ("", {}),
        (LOSSY, {}),
        (CUT, {"restarted_at": 30}),
        (LOSSY, {"foreign": "x"}),
    ]
    for number, (text, changes) in enumerate(kinds):
        drill.call(f"c{number}", number, text, **changes)
    drill.good("good-1", 8)
    drill.good("good-2", 9)
    return drill


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("success >= 1%", 0.2),
        ("error_rate <= 1%", 0.3),
        ("timeout_rate <= 1%", 0.2),
        ("content_intact >= 1%", 2 / 7),
        ("hung == 0", 1),
        ("silent_truncated == 0", 1),
        ("silent_empty == 0", 1),
        ("silent_corrupt == 0", 1),
        ("duplicated == 0", 1),
        ("leaked == 0", 1),
        ("upstream_requests <= 5", 2),
        ("served_by(primary) >= 1%", 2 / 7),
        ("served_by(secondary) >= 1%", 0),
        ("retries_per_call <= 1", 0),
        ("ttft.min <= 1s", 0.2),
        ("ttft.max <= 1s", math.inf),
        ("ttft.mean <= 1s", math.inf),
        ("e2e.count >= 1", 10),
        ("goodput(ttft <= 300ms, e2e <= 2s) >= 1/s", 2 / 60),
        ("goodput(ttft < 200ms) >= 1/s", 0),
        ("elapsed <= 5m", 65),
    ],
)
def test_value(mixed: Drill, text: str, value: float) -> None:
    """Each measure counts what its definition says."""
    assert observed(mixed, text).value == pytest.approx(value)


def test_times_of_completed_calls_leave_failures_out(mixed: Drill) -> None:
    """``of: completed`` looks only at whole answers; by default a failed call waits for ever."""
    assert observed(mixed, "ttft.max <= 1s", of="completed").value == pytest.approx(0.2)
    assert observed(mixed, "ttft.max <= 1s", of="completed").samples == 2


def test_first_violating_call_is_the_earliest(mixed: Drill) -> None:
    """The calls that speak against an expectation are in the order of time."""
    assert observed(mixed, "success >= 95%").against[:3] == ("c0", "c1", "c2")
    assert observed(mixed, "silent_truncated == 0").against == ("c3",)
    assert observed(mixed, "ttft.max <= 1s").against == ("c0", "c1", "c2", "c4")
    assert observed(mixed, "error_rate == 0%").against == ("c0", "c1", "c2")


def test_times_between_tokens() -> None:
    """Gaps are pooled over calls, tpot is per token, a stall is a call's longest gap."""
    drill = Drill()
    drill.call("a", 1, gaps_ms=[20, 30, 400], output_tokens=11, first_content_at=ORIGIN + 1, last_content_at=ORIGIN + 2)
    drill.call("b", 2, gaps_ms=[10], output_tokens=1)

    assert observed(drill, "icl.max <= 1s").value == pytest.approx(0.4)
    assert observed(drill, "icl.count >= 1").value == 4
    assert observed(drill, "stall.max <= 1s").value == pytest.approx(0.4)
    assert observed(drill, "stall.min <= 1s").value == pytest.approx(0.01)
    assert observed(drill, "tpot.max <= 1s").value == pytest.approx(0.1)
    assert observed(drill, "tpot.count >= 1").samples == 1
    assert observed(drill, "ttfb.max <= 1s").value == pytest.approx(0.1)


def test_silence_in_which_a_call_died_is_a_stall() -> None:
    """A stream that stopped and timed out stalled until its end."""
    drill = Drill()
    drill.call("a", 1, CUT, took=9, error="timeout", gaps_ms=[20], last_content_at=ORIGIN + 2)

    assert observed(drill, "stall.max <= 1s").value == pytest.approx(8)


def test_plain_answer_is_there_at_its_end() -> None:
    """A plain answer has nothing to read before it ended; a failed one never has."""
    drill = Drill()
    drill.call("a", 1, took=3, stream=False, first_content_at=None)
    assert observed(drill, "ttft.max <= 1s").value == pytest.approx(3)

    drill.call("b", 1, "", took=3, stream=False, error="http", status=500)
    assert observed(drill, "ttft.max <= 1s").value == math.inf


def test_usage_error_compares_reported_with_expected_tokens() -> None:
    """Without expected tokens nothing is known."""
    drill = Drill()
    drill.call("a", 1, output_tokens=30, expected_tokens=40)
    drill.call("b", 1, output_tokens=40, expected_tokens=40)
    drill.call("c", 1, output_tokens=40)

    assert observed(drill, "usage_error <= 1%").value == pytest.approx(0.125)
    assert observed(drill, "usage_error.max <= 1%").value == pytest.approx(0.25)


def test_an_answer_without_token_counts_is_wrong_by_all_of_them() -> None:
    """A call that failed owes none."""
    drill = Drill()
    drill.call("a", 1, output_tokens=None, expected_tokens=40)
    drill.call("b", 1, "", error="http", status=500, output_tokens=None, expected_tokens=40)

    assert observed(drill, "usage_error.max <= 1%").value == pytest.approx(1)
    assert observed(drill, "usage_error.count == 1").value == 1


def test_overhead_is_what_lies_between_the_listener_and_the_client() -> None:
    """First content to first content; of a plain answer, end to end. Who failed has none."""
    drill = Drill()
    drill.exchange("a", "primary", 1)
    drill.call("a", 1, first_content_at=ORIGIN + 1.25)
    assert observed(drill, "overhead.max <= 1s").value == pytest.approx(0.05)

    drill.exchange("b", "primary", 2)
    drill.call("b", 2, took=1.5, stream=False, first_content_at=None)
    drill.exchange("c", "primary", 3)
    drill.call("c", 3, "", took=9, error="http", status=500)
    assert observed(drill, "overhead.max <= 1s").value == pytest.approx(0.5)


def test_overhead_and_added_delay_are_as_sure_as_our_processes_were_on_time() -> None:
    """However little they were late: a bound within that is inconclusive."""
    drill = Drill()
    drill.fault("slow", "time.first_byte", "primary", at=0, lasts=10)
    drill.exchange("a", "primary", 1, hit="slow", received=edge(ORIGIN + 1), sent=edge(ORIGIN + 1.1))
    drill.call("a", 1, first_content_at=ORIGIN + 1.31)
    drill.exchange("b", "primary", 2)
    drill.call("b", 2)

    sure = observed(drill, "added_delay.max <= 110ms")
    drill.records.append(Lag(process="proxy", what="loop", at=ORIGIN + 1.5, samples=100, p99_s=0.02, max_s=0.02))
    unsure = observed(drill, "added_delay.max <= 110ms")

    assert sure.samples == 1
    assert [sure.low, sure.high] == pytest.approx([0.1, 0.1])
    assert [unsure.low, unsure.high] == pytest.approx([0.08, 0.12])
    assert observed(drill, "overhead.max <= 20ms").high == pytest.approx(0.03)


def test_retries_and_requests_of_a_call() -> None:
    """Every request at a listener counts, whatever it was answered; listeners that are no backends do not."""
    drill = Drill()
    for at in (1.0, 1.1, 1.2):
        drill.exchange("a", "primary", at, sent=refusing_edge(at, 503))
    drill.exchange("a", "entry", 1)
    drill.call("a", 1, "", status=503)
    drill.good("b", 2)

    assert observed(drill, "retries_per_call <= 0").value == 1
    assert observed(drill, "retries_per_call.max <= 0").value == 2
    assert observed(drill, "upstream_requests <= 0").value == 4


def test_a_call_at_our_entry_listener_is_no_retry() -> None:
    """A listener of ours before the gateway sees the call itself; behind it are the requests that it cost."""
    drill = Drill()
    drill.claims = replace(drill.claims, entry="front", backends=("front", "primary", "secondary"))
    drill.exchange("a", "front", 1)
    drill.good("a", 1)
    drill.exchange("from-a-cache", "front", 2)
    drill.call("from-a-cache", 2)

    assert observed(drill, "retries_per_call.max <= 0").value == 0

    drill.exchange("a", "secondary", 1.5)

    assert observed(drill, "retries_per_call.max <= 0").value == 1


def test_requests_that_outlive_their_call_are_abandoned() -> None:
    """An upstream request that still runs a second after its call ended was not cancelled."""
    drill = Drill()
    drill.exchange("a", "primary", 1, sent=silent_edge(1, ORIGIN + 9))
    drill.exchange("a", "secondary", 1, sent=silent_edge(1, ORIGIN + 4.5))
    drill.call("a", 1, "", took=3, error="timeout", status=None)

    assert observed(drill, "abandoned_upstream == 0").value == 1


@pytest.mark.parametrize(
    ("second_at", "listener", "ignored"),
    [(2.0, "primary", 1), (3.2, "primary", 0), (2.0, "secondary", 0), (0.5, "primary", 0)],
)
def test_retry_after_is_ignored_by_coming_back_early(second_at: float, listener: str, ignored: int) -> None:
    """Only a request to the same listener within the time that it asked for counts."""
    drill = Drill()
    drill.exchange("a", "primary", 1, sent=refusing_edge(ORIGIN + 1, 429, retry_after_s=2.0))
    drill.exchange("a", listener, second_at)
    drill.call("a", 0.4, took=4)

    assert observed(drill, "retry_after_ignored == 0").value == ignored


# ---------------------------------------------------------------------------------------------- windows and cohorts


def test_calls_belong_to_the_window_of_their_intended_time() -> None:
    """The start of a window is included, its end is not."""
    drill = Drill()
    for at in (4.9, 5.0, 9.9, 10.0):
        drill.call(f"c{at}", at)

    assert observed(drill, "success >= 1%", "5s..10s").samples == 2


def test_the_tail_of_a_run_that_broke_off_is_unknown() -> None:
    """Its last seconds are not the quiet ones that were planned: a fault may have acted in them."""
    drill = Drill()
    drill.traffic(0, 20)
    whole = drill.history()
    broken = replace(whole, timeline=replace(whole.timeline, marks={"origin": ORIGIN}, last_at=ORIGIN + 20))

    (seen,) = observe(broken, expectation("success >= 1%", "tail"))

    assert seen.why == "the run ended before its tail"


def test_each_window_is_observed() -> None:
    """An expectation over several windows has an observation for each."""
    drill = Drill()
    drill.fault("part", "partition", "primary", at=10, lasts=10)
    drill.traffic(-2, 60)

    seen = observe(
        drill.history(), expectation("success >= 1%", "warmup, all, steady, part, part.applied+2s..part.healed, tail")
    )

    assert [observation.samples for observation in seen] == [2, 60, 10, 10, 8, 10]


@pytest.mark.parametrize(
    ("over", "why"),
    [
        ("gone", "fault 'gone' was never applied"),
        ("55s..58s", "no calls in the window '55s..58s'"),
        ("9s..5s", "the window '9s..5s' is empty in this run"),
    ],
)
def test_window_without_data_is_unknowable(over: str, why: str) -> None:
    """A window in which nothing was is no pass."""
    drill = Drill()
    drill.good("a", 1)

    seen = observed(drill, "silent_truncated == 0", over)

    assert (seen.state(parse_expression("silent_truncated == 0")), seen.why) == (State.INCONCLUSIVE, why)


@pytest.mark.parametrize(
    ("text", "over", "expected"),
    [
        ("success == 100%", "part.healed..+10s", State.HELD),
        ("success == 100%", "part.healed..+10.4s", State.HELD),  # begun a little late: as planned, it fits
        ("success == 100%", "part.healed..+30s", State.INCONCLUSIVE),
        ("silent_truncated == 0", "part.healed..+30s", State.INCONCLUSIVE),
        ("success == 100%", "part.applied..+30s", State.INCONCLUSIVE),
        ("silent_truncated == 0", "part.applied..+30s", State.DEVIATED),  # once is once, whatever came later
        ("hits(part) >= 1", "50s..200s", State.INCONCLUSIVE),
        ("throughput >= 0.9/s", "50s..200s", State.INCONCLUSIVE),
    ],
)
def test_a_window_that_goes_on_after_the_data(text: str, over: str, expected: State) -> None:
    """Nothing holds for thirty seconds of which ten were seen."""
    drill = Drill()
    drill.fault("part", "stream.truncate", "primary", 45, 5)
    drill.call("cut", 46.5, CUT)
    drill.traffic(0, 60)

    assert state(drill, text, over) is expected
    if expected is State.INCONCLUSIVE:
        assert "after the end of the timeline" in observed(drill, text, over).why


def test_fault_that_was_never_healed_leaves_its_window_unknown() -> None:
    """A window that ends at a heal that nobody saw has no end."""
    drill = Drill()
    drill.fault("part", "partition", "primary", at=10, lasts=10)
    drill.records = [record for record in drill.records if getattr(record, "edge", "") != "healed"]
    drill.traffic(0, 20)

    assert "does not say when fault 'part' was healed" in observed(drill, "success >= 1%", "part").why


@pytest.fixture
def two_faults() -> Drill:
    """Calls before, at and after the begins of two faults."""
    drill = Drill()
    drill.fault("part", "partition", "primary", at=10, lasts=10)
    drill.fault("more", "sse.drop", "secondary", at=15, lasts=10)
    for name, at in (("before", 5), ("open", 9.5), ("with-it", 10), ("between", 12), ("second", 14.5), ("after", 16)):
        drill.call(name, at)
    return drill


@pytest.mark.parametrize(
    ("cohort", "over", "names"),
    [
        (None, "all", ["before", "open", "with-it", "between", "second", "after"]),
        ("in_flight", "all", ["open", "second"]),
        ("in_flight", "part", ["open", "second"]),
        ("in_flight", "more", ["second"]),
        ("in_flight", "part.applied..+1s", ["open"]),
        ("in_flight", "steady", []),
        ("new", "all", ["with-it", "between", "after"]),
        ("new", "more", ["after"]),
    ],
)
def test_cohorts_tell_streams_that_were_open_from_later_ones(
    two_faults: Drill, cohort: Literal["new", "in_flight"] | None, over: str, names: list[str]
) -> None:
    """Cohort new came after a fault had begun; in_flight was open then, and belongs to the window of that begin."""
    history = two_faults.history()

    called = history.calls(history.timeline.span(parse_window(over)), cohort)

    assert [story.id for story in called] == names


def test_an_empty_cohort_is_named(two_faults: Drill) -> None:
    """No calls in a cohort is no value, and says so; a count of requests is 0."""
    assert observed(two_faults, "upstream_requests >= 1", cohort="in_flight").value == 0
    assert "of the cohort in_flight" in observed(two_faults, "success >= 1%", "50s..60s", cohort="in_flight").why


# ---------------------------------------------------------------------------------------------------- what is unknown


def test_untagged_calls_make_measures_on_exchanges_unknowable() -> None:
    """Who cannot be joined cannot be counted; measures on calls are not touched."""
    drill = Drill()
    drill.call("a", 1, tagged=False)

    assert state(drill, "success >= 95%") is State.HELD
    for text in ("retries_per_call <= 1", "served_by(primary) >= 1%", "abandoned_upstream == 0"):
        assert state(drill, text) is State.INCONCLUSIVE
        assert "carry no tag" in observed(drill, text).why


def test_percentile_needs_enough_samples() -> None:
    """Ten samples beyond it, unless the file says how many are enough."""
    drill = Drill()
    drill.traffic(0, 50)

    assert observed(drill, "ttft.p99 <= 1s").why == "50 samples, it needs 1000"
    assert state(drill, "ttft.p99 <= 1s") is State.INCONCLUSIVE
    assert state(drill, "ttft.p99 <= 1s", min_samples=50) is State.HELD
    assert state(drill, "ttft.p80 <= 1s") is State.HELD
    assert [needed_samples(name) for name in ("p50", "p90", "p99", "p99.9", "mean", None)] == [
        20,
        100,
        1000,
        10000,
        1,
        1,
    ]


def test_too_few_samples_do_not_hide_a_known_deviation() -> None:
    """A count can only grow: what is already too much stays too much."""
    drill = Drill()
    drill.call("a", 1, CUT)

    assert state(drill, "silent_truncated == 0", min_samples=100) is State.DEVIATED
    assert state(drill, "silent_truncated <= 3", min_samples=100) is State.INCONCLUSIVE
    assert state(drill, "success >= 95%", min_samples=100) is State.INCONCLUSIVE


@pytest.mark.parametrize(
    ("good", "text", "expected"),
    [
        (99, "success >= 95%", State.HELD),
        (9, "success >= 95%", State.INCONCLUSIVE),
        (9, "success >= 91%", State.INCONCLUSIVE),
        (9, "success >= 90%", State.HELD),
        (9, "error_rate <= 10%", State.HELD),
        (9, "hung == 0", State.INCONCLUSIVE),
        (9, "hung == 2", State.DEVIATED),
        (9, "hung != 2", State.HELD),
    ],
)
def test_unfinished_call_could_become_anything(good: int, text: str, expected: State) -> None:
    """What a call that had not ended could change is inconclusive, what it could not is judged."""
    drill = Drill(ended="interrupted")
    for number in range(good):
        drill.call(f"c{number}", 1 + number / 10)
    drill.call("open", 20, "", end_at=None, status=None)

    assert state(drill, text) is expected


def test_unfinished_calls_may_still_be_completed_ones() -> None:
    """Twenty calls that hang when the run ends are not left out as if nothing were known against them."""
    drill = Drill()
    drill.traffic(0, 60)
    for number in range(20):
        drill.sent(f"hung{number}", 11 + number / 10)
    seen = observed(drill, "e2e.max <= 2s", of="completed")

    assert seen.value == seen.low == pytest.approx(1)
    assert (seen.high, seen.samples) == (math.inf, 60)
    assert seen.state(parse_expression("e2e.max <= 2s")) is State.INCONCLUSIVE
    assert seen.why == "20 calls had not ended when the journal does"
    assert state(drill, "e2e.max <= 900ms", of="completed") is State.DEVIATED
    assert state(drill, "e2e.min <= 2s", of="completed") is State.HELD
    assert state(drill, "e2e.p50 <= 2s", of="completed", min_samples=20) is State.HELD


def test_goodput_by_tokens_that_nobody_counted_is_not_known() -> None:
    """An upstream that reports no usage does not meet a bound for the time per token by that."""
    drill = Drill()
    drill.traffic(0, 60)
    assert state(drill, "goodput(tpot <= 1ms) >= 1/s") is State.INCONCLUSIVE
    assert observed(drill, "goodput(tpot <= 1ms) >= 1/s").why == "what an objective needs is not known of 60 calls"
    assert state(drill, "goodput(tpot <= 1ms, e2e <= 500ms) >= 0.1/s") is State.DEVIATED

    drill = Drill()
    drill.good("one-token", 1, output_tokens=1)

    assert state(drill, "goodput(tpot <= 1ms) > 0/s") is State.HELD


def test_unfinished_call_waits_at_least_until_the_end() -> None:
    """A call without an answer has waited so long already, and maybe for ever."""
    drill = Drill(ended="interrupted")
    drill.call("open", 20, "", end_at=None, status=None)

    assert state(drill, "ttft.max <= 2s") is State.DEVIATED
    assert state(drill, "ttft.max <= 5m") is State.INCONCLUSIVE
    assert observed(drill, "ttft.max <= 5m").why == "1 calls had not ended when the journal does"


@pytest.mark.parametrize(
    ("text", "lag_s", "expected"),
    [
        ("ttft.max <= 1s", 0.2, State.HELD),  # below the bound of 250 ms
        ("ttft.max <= 1s", 0.5, State.HELD),  # 0.2 + 0.5 s is still within
        ("ttft.max <= 300ms", 0.2, State.HELD),  # a lag below the bound is not counted
        ("ttft.max <= 300ms", 0.5, State.INCONCLUSIVE),
        ("ttft.max <= 100ms", 0.5, State.INCONCLUSIVE),
        ("e2e.max <= 100ms", 0.5, State.DEVIATED),  # 1 - 0.5 s is still too much
        ("stall.max <= 10ms", 0.5, State.INCONCLUSIVE),
        ("tpot.max <= 10ms", 0.5, State.INCONCLUSIVE),
        ("goodput(ttft <= 300ms) >= 1/m", 0.5, State.INCONCLUSIVE),
        ("goodput(ttft <= 100ms) >= 1/m", 0.05, State.DEVIATED),
        ("success >= 95%", 9.0, State.HELD),  # no time is measured here
    ],
)
def test_own_lag_blurs_times_and_nothing_else(text: str, lag_s: float, expected: State) -> None:
    """A time is known up to what our own processes were late; a bound that is clear either way is judged."""
    drill = Drill()
    drill.call("a", 5, gaps_ms=[50], output_tokens=50)
    late(drill, 5.5, lag_s)

    assert state(drill, text) is expected


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("success >= 95%", State.INCONCLUSIVE),
        ("success >= 40%", State.HELD),
        ("error_rate <= 5%", State.INCONCLUSIVE),
        ("timeout_rate <= 5%", State.INCONCLUSIVE),
        ("ttft.p75 <= 5s", State.INCONCLUSIVE),
        ("goodput(ttft <= 1s) >= 0.5/s", State.INCONCLUSIVE),
        ("hung == 0", State.HELD),
        ("silent_truncated == 0", State.HELD),
        ("content_intact == 100%", State.HELD),
    ],
)
def test_failures_under_our_own_lag_may_be_ours(claim: str, expected: State) -> None:
    """Twenty calls time out while our proxy stands still for nine seconds; without it they might have been ok."""
    drill = Drill()
    drill.traffic(0, 20)
    late(drill, 40, 9.0, "proxy")
    for number in range(20):
        drill.call(f"t{number}", 31 + number / 4, "", took=8, error="timeout", status=None)

    assert state(drill, claim, min_samples=1) is expected


def test_failures_while_our_proxy_refused_requests_may_be_ours() -> None:
    """A limit of ours answered 503: that the system passed it on is no fault of the system's."""
    drill = Drill()
    drill.traffic(0, 60)
    drill.records.append(Trouble(at=ORIGIN + 20, part="limits", detail="the proxy itself refused requests: 1 x it"))
    drill.call("refused", 19.2, "", took=0.1, error="http", status=503)
    assert state(drill, "success == 100%") is State.INCONCLUSIVE
    assert state(drill, "error_rate <= 0%") is State.INCONCLUSIVE
    assert observed(drill, "success == 100%").why == "1 calls failed while our own proxy refused requests"

    drill.call("failed", 30, "", took=0.1, error="http", status=503)

    assert state(drill, "success == 100%") is State.DEVIATED


def test_hidden_failures_under_our_own_lag_are_not_ours() -> None:
    """Whoever was late, a cut answer must not be passed off as whole."""
    drill = Drill()
    drill.call("cut", 5, CUT)
    late(drill, 5.5, 9.0)

    assert state(drill, "silent_truncated == 0") is State.DEVIATED
    assert state(drill, "content_intact >= 50%") is State.DEVIATED


def test_failures_before_our_own_lag_are_not_ours() -> None:
    """Only what overlaps with it."""
    drill = Drill()
    drill.call("t", 5, "", took=1, error="timeout", status=None)
    late(drill, 9, 1.0)

    assert state(drill, "timeout_rate <= 5%") is State.DEVIATED


def test_lag_elsewhere_does_not_blur() -> None:
    """A process that was late before or after a call has not touched it."""
    drill = Drill()
    drill.call("a", 5)
    late(drill, 3, 2.0)
    late(drill, 9, 2.0)

    assert state(drill, "ttft.max <= 300ms") is State.HELD


def test_long_lag_reaches_back() -> None:
    """A process that stood still for four seconds reports so at their end."""
    drill = Drill()
    drill.call("a", 5)
    late(drill, 9, 4.0)

    assert state(drill, "ttft.max <= 300ms") is State.INCONCLUSIVE


def test_inconclusive_lag_says_so() -> None:
    """The reason is our own, and the report says it."""
    drill = Drill()
    drill.call("a", 5)
    late(drill, 5.5, 1.0)

    assert observed(drill, "ttft.max <= 300ms").why == "our own processes were late while it was measured"


# ------------------------------------------------------------------------------------------------- failover, recovery


def failing_over(failing_s: float, last: float = 60) -> Drill:
    """A partition at 10 s for 20 s; for ``failing_s`` calls fail, then the other backend answers."""
    drill = Drill()
    drill.fault("part", "partition", "primary", at=10, lasts=20)
    drill.traffic(0, 10)
    for number in range(math.ceil(failing_s)):
        at = 10.0 + number
        drill.exchange(f"f{number}", "primary", at, hit="part", sent=silent_edge(0, ORIGIN + at + 1))
        drill.call(f"f{number}", at, "", error="http", status=504)
    drill.traffic(10 + math.ceil(failing_s), last, "secondary")
    return drill


def test_failover_ends_with_the_first_answer_of_lasting_success() -> None:
    """From the applied mark to the first content of the first call of the span."""
    drill = failing_over(4)

    assert observed(drill, "failover_time(part) <= 2s").value == pytest.approx(4.2)
    assert state(drill, "failover_time(part) <= 5s") is State.HELD
    assert state(drill, "failover_time(part) <= 2s") is State.DEVIATED


def test_failover_to_answers_that_nobody_can_read_is_not_known() -> None:
    """Calls whose right text is unknown may be good, so the failover was this fast at best."""
    drill = failing_over(4)
    drill.records = [
        record.model_copy(update={"expected": None}) if isinstance(record, Call) else record for record in drill.records
    ]

    assert state(drill, "failover_time(part) <= 5s") is State.INCONCLUSIVE
    assert state(drill, "failover_time(part) <= 2s") is State.DEVIATED


def test_success_that_does_not_last_is_no_failover() -> None:
    """A single good call among failures does not end the failover."""
    drill = failing_over(4)
    drill.good("lucky", 11.5, "secondary")

    assert observed(drill, "failover_time(part) <= 2s").value == pytest.approx(4.2)
    assert observed(drill, "failover_time(part) <= 2s", sustained=Sustained(1.0, success=0.3)).value == pytest.approx(
        1.7
    )


@pytest.mark.parametrize(
    ("bound", "expected"), [("2s", State.DEVIATED), ("46s", State.DEVIATED), ("50s", State.INCONCLUSIVE)]
)
def test_failover_that_was_never_seen_is_censored(bound: str, expected: State) -> None:
    """A failover that did not happen within the data took longer than these, and a bound beyond them is unknown."""
    drill = failing_over(50)

    seen = observed(drill, f"failover_time(part) <= {bound}")

    assert (seen.value, seen.low, seen.high) == (None, 47.0, math.inf)
    assert seen.state(parse_expression(f"failover_time(part) <= {bound}")) is expected


@pytest.mark.parametrize(("least", "expected"), [(None, State.HELD), (20, State.HELD), (500, State.INCONCLUSIVE)])
def test_a_failover_of_too_few_calls_is_not_known(least: int | None, expected: State) -> None:
    """The file says how many it takes; nothing is held with fewer, and nobody is blamed."""
    drill = failing_over(4)

    assert state(drill, "failover_time(part) <= 5s", min_samples=least) is expected
    assert (state(drill, "failover_time(part) <= 2s", min_samples=least) is State.DEVIATED) is (expected is State.HELD)


def test_span_of_success_that_the_end_cuts_off_does_not_count() -> None:
    """Two good seconds before the end are not three."""
    drill = failing_over(48)

    assert observed(drill, "failover_time(part) <= 2s").value is None


def _hit_late(drill: Drill, each: float = 0.5) -> None:
    """A fault from 10 s to 30 s that meets nobody before 20 s: nobody asked there, or it was to skip some."""
    drill.fault("part", "http.status", "primary", 10, 20)
    drill.traffic(0, 20, each=each)
    drill.traffic(30, 60, each=each)


def test_failover_begins_when_the_fault_is_met() -> None:
    """Ten good seconds in which it met nobody are no failover."""
    drill = Drill()
    _hit_late(drill)
    for number in range(20):
        at = 20 + number / 2
        drill.exchange(f"b{number}", "primary", at, hit="part", sent=refusing_edge(ORIGIN + at, 503))
        drill.call(f"b{number}", at, "", took=0.1, error="http", status=503)
    seen = observed(drill, "failover_time(part) <= 2s")

    assert seen.value == pytest.approx(10.2)
    assert seen.state(parse_expression("failover_time(part) <= 2s")) is State.DEVIATED
    (told,) = deviations(drill.history(), expectation("failover_time(part) <= 2s"), seen)
    assert told.sentence.startswith("after http.status (fault 'part') met its first call, it took 10.20s to lasting")


def test_failover_is_not_longer_for_a_fault_that_is_met_late() -> None:
    """Who answers the first call that it meets has lost no time."""
    drill = Drill()
    _hit_late(drill)
    for number in range(20):
        at = 20 + number / 2
        drill.exchange(f"b{number}", "primary", at, hit="part", sent=refusing_edge(ORIGIN + at, 503))
        drill.good(f"b{number}", at, "secondary")

    assert observed(drill, "failover_time(part) <= 2s").value == pytest.approx(0.2)


def test_failover_needs_data_of_the_length_of_its_span() -> None:
    """A fault at the very end leaves no time to see anything."""
    drill = Drill()
    drill.fault("part", "partition", "primary", at=58, lasts=2)
    drill.exchange("a", "primary", 58.5, hit="part")
    drill.call("a", 58.5)

    assert (
        observed(drill, "failover_time(part) <= 2s").why == "the data ends 2.0 s after it, a span of 3 s does not fit"
    )


def test_fault_that_hit_nothing_has_no_failover_and_no_recovery() -> None:
    """Nobody failed over from a fault that did nothing."""
    drill = Drill()
    drill.fault("part", "partition", "primary", at=10, lasts=10)
    drill.traffic(0, 60)

    for text in ("failover_time(part) <= 2s", "recovery_time(part) <= 2s"):
        assert (state(drill, text), observed(drill, text).why) == (State.INCONCLUSIVE, "fault 'part' hit nothing")


def test_fault_without_trace_can_be_failed_over_from() -> None:
    """A refused connection leaves no hit, but its time is known."""
    drill = Drill()
    drill.fault("down", "conn.refuse", "primary", at=10, lasts=10, counts_hits=False)
    drill.traffic(0, 60)

    assert observed(drill, "failover_time(down) <= 2s").value == pytest.approx(0.2)


def test_recovery_is_measured_from_the_heal() -> None:
    """The target serves again when its part of the calls is back near what it was."""
    drill = failing_over(2, last=34)
    drill.traffic(34, 60)

    assert observed(drill, "recovery_time(part) <= 5s").value == pytest.approx(4.2)
    assert state(drill, "recovery_time(part) <= 5s") is State.HELD


@pytest.mark.parametrize(("share", "expected"), [(0.5, State.HELD), (0.9, State.DEVIATED)])
def test_recovery_is_relative_to_the_part_before(share: float, expected: State) -> None:
    """A target that answers half of its former part is back for who asks for half of it."""
    drill = failing_over(2, last=30)
    drill.traffic(30, 60)
    drill.traffic(30.5, 60, "secondary")

    assert state(drill, "recovery_time(part) <= 5s", sustained=Sustained(4.0, share_of_baseline=share)) is expected


def test_recovery_without_tags_is_unknowable() -> None:
    """Who cannot be joined cannot have come back."""
    drill = failing_over(2)
    drill.call("plain", 3, tagged=False)

    assert "carry no tag" in observed(drill, "recovery_time(part) <= 5s").why


def test_recovery_of_a_target_that_nobody_used_is_unknowable() -> None:
    """What answered nothing before cannot answer again."""
    drill = failing_over(2)
    drill.claims = replace(drill.claims, faults=(replace(drill.claims.faults[0], targets=("tertiary",)),))

    assert observed(drill, "recovery_time(part) <= 5s").why == (
        "tertiary answered nothing before the first fault: nothing can recover"
    )


def test_recovery_needs_a_steady_time() -> None:
    """A fault from the start leaves no time before it."""
    drill = Drill()
    drill.fault("part", "partition", "primary", at=0, lasts=10)
    drill.exchange("a", "primary", 1, hit="part")
    drill.call("a", 1)

    assert "no steady time" in observed(drill, "recovery_time(part) <= 5s").why


def test_own_lag_blurs_a_failover() -> None:
    """A failover is known up to what our own processes were late."""
    drill = failing_over(1)
    late(drill, 11, 1.0)

    assert state(drill, "failover_time(part) <= 2s") is State.INCONCLUSIVE
    assert state(drill, "failover_time(part) <= 3s") is State.HELD


def test_hits_and_lateness_of_a_fault() -> None:
    """Hits are counted in their window; lateness is measured against the plan."""
    drill = failing_over(4)
    drill.claims = replace(drill.claims, faults=(replace(drill.claims.faults[0], at_s=9.5),))

    assert observed(drill, "hits(part) >= 1").value == 4
    assert observed(drill, "hits(part) >= 1", "steady").value == 0
    assert observed(drill, "applied_late(part) <= 1s").value == pytest.approx(0.5)


def test_lateness_of_a_fault_that_follows_another_is_unknowable() -> None:
    """Its plan is no time."""
    drill = failing_over(4)
    drill.claims = replace(drill.claims, faults=(replace(drill.claims.faults[0], at_s=None),))

    assert "follows another fault" in observed(drill, "applied_late(part) <= 1s").why


# --------------------------------------------------------------------------------------------------------- live, aborts


def test_running_run_is_observed_up_to_now() -> None:
    """Before its end the timeline ends now."""
    drill = Drill()
    drill.traffic(0, 5)
    records = [record for record in drill.journal().records if getattr(record, "name", "") != "over"]
    history = history_of([record for record in records if record.type != "ended"], drill.claims)

    (seen,) = observe(history, expectation("goodput(ttft <= 1s) >= 1/m"), now=ORIGIN + 5)

    assert seen.value == pytest.approx(1.0)


def failing_since(at: float) -> Drill:
    """Good calls, and from ``at`` on only failing ones; ten a second."""
    drill = Drill()
    drill.traffic(0, at, each=0.1)
    for number in range(100):
        drill.call(f"f{number}", at + number / 10, "", took=0.05, error="http", status=500)
    return drill


@pytest.mark.parametrize(("now", "met"), [(10, False), (12, False), (14, False), (14.9, False), (16, True)])
def test_abort_waits_until_its_condition_has_lasted(now: float, met: bool) -> None:
    """A short burst does not abort a run, however many calls it breaks; what lasts does."""
    abort = Abort(parse_expression("error_rate > 60%"), for_s=5.0, min_samples=20)

    assert abort_met(failing_since(10).history(), abort, ORIGIN + now) is met


def test_a_second_without_calls_is_no_break() -> None:
    """A system that is too slow to fail every second is not well for it."""
    drill = Drill()
    for number in range(10):
        drill.call(f"f{number}", 10 + 2 * number, "", took=0.1, error="timeout", status=None)

    assert abort_met(drill.history(), Abort(parse_expression("error_rate > 60%"), 5.0, 2), ORIGIN + 20)


def test_abort_waits_for_its_time_from_the_begin() -> None:
    """A run that fails from its first second is given the whole ``for``, warm-up included."""
    abort = Abort(parse_expression("error_rate > 60%"), for_s=5.0, min_samples=20)
    history = failing_since(-2).history()

    assert not abort_met(history, abort, ORIGIN + 2.9)
    assert abort_met(history, abort, ORIGIN + 3)


def test_abort_sees_calls_when_they_end() -> None:
    """Calls that hang for twenty seconds count when they time out, not when they were sent."""
    drill = Drill()
    for number in range(100):
        drill.call(f"t{number}", number / 10, "", took=20, error="timeout", status=None)
    abort = Abort(parse_expression("timeout_rate > 60%"), for_s=5.0, min_samples=20)

    assert abort_met(drill.history(), abort, ORIGIN + 25)


def test_abort_needs_its_samples() -> None:
    """One failed call is no reason to stop."""
    drill = Drill()
    drill.call("a", 10, "", took=0.1, error="http", status=500)

    assert not abort_met(drill.history(), Abort(parse_expression("error_rate > 60%"), 5.0, 2), ORIGIN + 12)
    assert abort_met(drill.history(), Abort(parse_expression("error_rate > 60%"), 5.0, 1), ORIGIN + 12)


@pytest.mark.parametrize(("now", "met"), [(100, False), (179, True)])
def test_abort_by_the_clock(now: float, met: bool) -> None:
    """``elapsed`` counts from the begin of the warm-up."""
    assert abort_met(Drill().history(), Abort(parse_expression("elapsed > 3m")), ORIGIN + now) is met


def test_abort_before_the_run_began_is_not_met() -> None:
    """Without a begin there is nothing to measure from."""
    assert not abort_met(history_of([], Drill().claims), Abort(parse_expression("elapsed > 3m")), 1e9)


# ------------------------------------------------------------------------------------------------------------ numbers


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1), st.sampled_from(["p1", "p50", "p99", "p99.9"]))
def test_percentiles_are_nearest_rank(values: list[float], name: str) -> None:
    """A percentile is a value that was observed, and at most the named part of the values lies beyond it."""
    value = aggregated(name, values)

    assert value in values
    assert sum(other > value for other in values) <= (1 - float(name[1:]) / 100) * len(values) + 1e-6


@given(
    st.lists(st.tuples(st.floats(0, 1e3), st.floats(0, 1e3)), min_size=1),
    st.sampled_from(["mean", "sum", "min", "max", "p90"]),
)
def test_aggregates_keep_bounds(pairs: list[tuple[float, float]], name: str) -> None:
    """The aggregate of lower bounds never exceeds that of upper bounds, or bounds would mean nothing."""
    low, high = [min(pair) for pair in pairs], [max(pair) for pair in pairs]

    assert aggregated(name, low) <= aggregated(name, high) + 1e-9


def test_unknown_aggregate_is_a_mistake_of_ours() -> None:
    """The parser lets none through."""
    with pytest.raises(ValueError, match="p101"):
        aggregated("p101", [1.0])


@pytest.mark.parametrize("operator", ["<", "<=", "==", "!=", ">=", ">"])
@given(low=st.floats(0, 10), high=st.floats(0, 10), bound=st.floats(0, 10), share=st.floats(0, 1))
def test_state_is_never_contradicted_by_a_possible_truth(
    operator: str, low: float, high: float, bound: float, share: float
) -> None:
    """Whatever lies between the bounds agrees with a state that is not inconclusive."""
    low, high = min(low, high), max(low, high)
    truth = min(max(low + share * (high - low), low), high)
    expect = replace(parse_expression("ttft.max <= 1s"), operator=operator, value=bound)

    judged = Observation("all", None, None, low, high).state(expect)
    in_truth = Observation("all", None, truth, truth, truth).state(expect)

    assert judged in (in_truth, State.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("operator", "value", "margin"),
    [
        ("<=", 0.5, 0.5),
        ("<", 2.0, -1.0),
        (">=", 0.5, -0.5),
        (">", 2.0, 1.0),
        ("==", 1.0, 0.0),
        ("==", 3.0, -2.0),
        ("!=", 3.0, 2.0),
    ],
)
def test_margin_is_positive_on_the_good_side(operator: str, value: float, margin: float) -> None:
    """How far the value is from its bound of 1, with the sign of good and bad."""
    expect = replace(parse_expression("ttft.max <= 1s"), operator=operator)

    assert Observation("all", None, value, value, value).margin(expect) == pytest.approx(margin)
