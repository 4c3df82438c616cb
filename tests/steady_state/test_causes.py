"""The sentences: six gateways with one defect each, and what the verdict says about them; then the rarer causes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaosproxy.journal.traffic import FaultHit
from chaosproxy.steady_state.causes import UNTOUCHED
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import (
    CUT,
    LOSSY,
    ORIGIN,
    WHOLE,
    Drill,
    cut_edge,
    edge,
    refusing_edge,
    silent_edge,
    text_of,
)


def told(drill: Drill, kind: str = "deviated") -> list[str]:
    """The sentences of a verdict."""
    return [finding.sentence for finding in judge(drill.journal(), drill.claims).findings if finding.kind == kind]


def partitioned() -> Drill:
    """A run whose primary is cut off from 10 s to 20 s."""
    drill = Drill()
    drill.fault("part", "partition", "primary", at=10, lasts=10)
    drill.traffic(0, 10)
    return drill


def truncated() -> Drill:
    """A run in which some of the secondary's streams end early from 10 s to 20 s."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "secondary", at=10, lasts=10)
    drill.traffic(0, 10, "secondary")
    return drill


def lossy() -> Drill:
    """A run in which some of the primary's streams lose events from 10 s to 20 s."""
    drill = Drill()
    drill.fault("lossy", "sse.drop", "primary", at=10, lasts=10)
    drill.traffic(0, 10)
    return drill


# --------------------------------------------------------------------------------------------------- gateway mutants


def test_mutant_that_invents_a_stop() -> None:
    """A cut answer with a made-up regular end is named as such, with the fault and the listener."""
    drill = truncated()
    for name in ("a", "b"):
        drill.exchange(name, "secondary", 12, hit="cut", received=cut_edge(12), sent=cut_edge(12))
        drill.call(name, 12, CUT, finish="stop")
    drill.expect("silent_truncated == 0")

    assert told(drill) == [
        (
            "2 calls got a cut answer that was passed off as whole: stream.truncate (fault 'cut') ended "
            "secondary's stream early, and the gateway sent its client a regular end (finish_reason 'stop'): silent "
            "truncation passed on as success by the gateway (a, b)"
        )
    ]


def test_mutant_that_invents_a_terminal_event() -> None:
    """A made-up [DONE] is an invented end as well."""
    drill = truncated()
    drill.exchange("a", "secondary", 12, hit="cut", sent=cut_edge(12))
    drill.call("a", 12, CUT, finish=None)
    drill.expect("silent_truncated == 0")

    assert "the gateway sent its client a regular end (a terminal event)" in told(drill)[0]


def test_mutant_without_a_usage_check() -> None:
    """Lost events that a comparison with the usage count would have shown are told with the calls."""
    drill = lossy()
    for number in range(7):
        drill.exchange(f"c{number}", "primary", 12, hit="lossy", sent=edge(12, LOSSY, tokens=40))
        drill.call(f"c{number}", 12, LOSSY, output_tokens=50, expected_tokens=50)
    drill.expect("silent_corrupt == 0")

    assert told(drill) == [
        (
            "7 calls got a text with parts missing or changed: sse.drop (fault 'lossy') changed the text of "
            "primary's answer, and nobody compared the text with its usage count (c0, c1, c2, c3, c4 and 2 more)"
        )
    ]


def test_mutant_that_retries_after_content() -> None:
    """Text that began anew is a retry after content, and both backends are named."""
    drill = lossy()
    drill.exchange("a", "primary", 12, hit="lossy", sent=cut_edge(ORIGIN + 12, ended="reset"))
    drill.exchange("a", "secondary", 13)
    drill.call("a", 12, CUT + WHOLE, restarted_at=100)
    drill.expect("duplicated == 0")

    assert told(drill) == [
        (
            "1 call got text twice: sse.drop (fault 'lossy') broke primary's answer off, and the gateway asked "
            "secondary after content of primary had reached the client (a retry after content) (a)"
        )
    ]


def test_mutant_without_fallback() -> None:
    """Calls that failed although another backend was healthy are told as a missing fallback."""
    drill = partitioned()
    for number in range(3):
        name = f"c{number}"
        drill.exchange(name, "primary", 11 + number, hit="part", sent=silent_edge(0, ORIGIN + 12 + number))
        drill.call(name, 11 + number, "", error="http", status=504)
    drill.expect("success >= 95%")

    assert told(drill) == [
        (
            "3 calls failed with HTTP 504 although secondary was healthy and was never asked (no fallback): "
            "partition (fault 'part') kept primary silent"
        )
    ]


def test_mutant_that_ignores_retry_after() -> None:
    """Requests that came back too early are told with what they had been asked."""
    drill = Drill()
    drill.fault("limit", "http.rate_limit", "primary", at=10, lasts=10)
    drill.traffic(0, 10)
    busy = refusing_edge(ORIGIN + 11, 429, retry_after_s=2.0)
    drill.exchange("a", "primary", 11, hit="limit", sent=busy)
    drill.exchange("a", "primary", 11.4, hit="limit", sent=busy)
    drill.exchange("a", "primary", 14)
    drill.call("a", 11, took=4)
    drill.expect("retry_after_ignored == 0")

    assert told(drill) == [
        (
            "1 call came back to primary after 300ms or less: http.rate_limit (fault 'limit') made primary answer 429 "
            "with Retry-After 2 s, and the gateway did not wait for it"
        )
    ]


def test_mutant_without_a_first_token_deadline() -> None:
    """Calls that waited at a silent backend until they timed out are told as a missing deadline."""
    drill = partitioned()
    for number in range(3):
        name = f"c{number}"
        drill.exchange(name, "primary", 11 + number, hit="part", sent=silent_edge(0, ORIGIN + 31 + number))
        drill.call(name, 11 + number, "", took=20, error="timeout", status=None)
    drill.expect("timeout_rate <= 1%")

    assert told(drill) == [
        (
            "3 calls waited up to 20.00s at primary, which was silent, and timed out: partition (fault 'part') "
            "kept primary silent, and the gateway set no deadline for the first token"
        )
    ]


def test_request_that_came_after_the_end_of_its_call_is_no_wait() -> None:
    """Nobody waits for a negative time."""
    drill = partitioned()
    drill.exchange("c", "primary", 31.1)
    drill.call("c", 11, "", took=20, error="timeout", status=None)
    drill.expect("timeout_rate <= 1%")

    assert told(drill) == ["1 call timed out before a request reached primary: no fault of ours was involved"]


def test_late_failover_names_where_the_time_went() -> None:
    """A failover that came too late says how late, and at whom the calls had waited."""
    drill = partitioned()
    for number in range(20):
        name, at = f"c{number}", 10 + number / 2
        drill.exchange(name, "primary", at, hit="part", sent=silent_edge(0, ORIGIN + at + 5))
        drill.exchange(name, "secondary", at + 5)
        drill.call(name, at, took=6, first_content_at=ORIGIN + at + 5.2)
    drill.expect("failover_time(part) <= 2s")

    assert told(drill) == [
        (
            "after partition (fault 'part') began, it took 5.20s to lasting success: 4 calls waited up to 5.00s "
            "at primary before secondary was asked: partition (fault 'part') kept primary silent"
        )
    ]


def test_failover_that_never_came_is_told_with_its_bound() -> None:
    """A span of success that was never seen is told as longer than the data."""
    drill = partitioned()
    for number in range(50):
        drill.exchange(f"c{number}", "primary", 10 + number, hit="part", sent=silent_edge(0, ORIGIN + 11 + number))
        drill.call(f"c{number}", 10 + number, "", error="http", status=504)
    drill.expect("failover_time(part) <= 2s")

    assert told(drill)[0].startswith(
        "after partition (fault 'part') began, lasting success was not seen (> 47.00s): 50 calls failed with HTTP 504"
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (False, "it was never asked again"),
        (True, "it answered 1 of 41 calls (1 requests)"),
    ],
)
def test_recovery_that_was_never_seen(asked: bool, words: str) -> None:
    """A primary that does not get its calls back is told, and whether anybody tried."""
    drill = partitioned()
    drill.exchange("hit", "primary", 11, hit="part", sent=silent_edge(0, 12))
    drill.traffic(20, 60, "secondary")
    if asked:
        drill.good("probe", 30.5)
    else:
        drill.good("other", 30.5, "secondary")
    drill.expect("recovery_time(part) <= 5s")

    assert told(drill) == [f"primary did not get its calls back after partition (fault 'part') was healed: {words}"]


def test_late_recovery_is_told_with_its_time() -> None:
    """A primary that got its calls back too late is told with the time that it took."""
    drill = partitioned()
    drill.exchange("hit", "primary", 11, hit="part", sent=silent_edge(0, 12))
    drill.traffic(20, 40, "secondary")
    drill.traffic(40, 60)
    drill.expect("recovery_time(part) <= 5s")

    assert told(drill) == [
        (
            "primary got its calls back only 20.20s after partition (fault 'part') was healed: it answered 20 of "
            "40 calls (20 requests)"
        )
    ]


# ------------------------------------------------------------------------------------------------------ other causes


def test_cut_without_any_end_marker() -> None:
    """A cut that was simply passed on is told apart from an invented end."""
    drill = truncated()
    drill.exchange("a", "secondary", 12, hit="cut", sent=cut_edge(12))
    drill.call("a", 12, CUT, finish=None, terminal=False)
    drill.expect("silent_truncated == 0")

    assert "it was passed on without any end marker or error (a)" in told(drill)[0]


def test_cut_with_the_end_that_the_backend_sent() -> None:
    """An end that really came from the backend was not invented by the gateway."""
    drill = lossy()
    drill.exchange("a", "primary", 12, hit="lossy", sent=edge(12, CUT))
    drill.call("a", 12, CUT)
    drill.expect("silent_truncated == 0")

    assert "it was passed on with a regular end (finish_reason 'stop')" in told(drill)[0]


def test_cut_plain_answer() -> None:
    """A plain answer has no end marker; the response around the cut text was complete."""
    drill = lossy()
    drill.exchange("a", "primary", 12, hit="lossy", sent=edge(12, CUT), stream=False)
    drill.call("a", 12, CUT, stream=False)
    drill.expect("silent_truncated == 0")

    assert "the client got a complete response around it" in told(drill)[0]


def test_empty_answer() -> None:
    """An empty answer is told as empty, and who emptied it."""
    drill = lossy()
    drill.exchange("a", "primary", 12, hit="lossy", sent=edge(12, "", terminal=False, finish=None))
    drill.call("a", 12, "")
    drill.expect("silent_empty == 0")

    assert told(drill)[0].startswith(
        "1 call got an empty answer that was passed off as whole: sse.drop (fault 'lossy') "
        "answered for primary with nothing"
    )


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (edge(12, WHOLE), "primary sent more than the client got, and no fault of ours was involved"),
        (cut_edge(12), "primary itself sent no more, and no fault of ours was involved"),
    ],
)
def test_cut_that_is_not_ours(sent: object, words: str) -> None:
    """A cut without a fault is never blamed on one."""
    drill = Drill()
    drill.exchange("a", "primary", 12, sent=sent)
    drill.call("a", 12, CUT)
    drill.expect("silent_truncated == 0")

    assert words in told(drill)[0]


def test_fault_on_another_request_of_the_call_is_not_blamed_for_the_answer() -> None:
    """A fault that hit an earlier attempt is named as that."""
    drill = partitioned()
    drill.exchange("a", "primary", 11, hit="part", sent=silent_edge(0, ORIGIN + 12))
    drill.exchange("a", "secondary", 12, sent=cut_edge(12))
    drill.call("a", 11, CUT)
    drill.expect("silent_truncated == 0")

    assert "not this answer but another request of the same call met partition (fault 'part')" in told(drill)[0]


@pytest.mark.parametrize(
    ("sent", "did"),
    [
        (refusing_edge(12, 503), "made primary answer 503"),
        (edge(12, CUT, error_event=True), "put an error event into primary's stream"),
        (cut_edge(12, ended="reset"), "broke primary's answer off"),
        (silent_edge(12, ORIGIN + 12.1, "reset"), "broke the connection to primary"),
        (silent_edge(12, ORIGIN + 16, "reset"), "kept primary silent"),
        (silent_edge(12, ORIGIN + 12.1), "kept primary silent"),
        (cut_edge(12, ended="gone"), "held primary's stream up"),
        (edge(12), "acted on primary's answer"),
    ],
)
def test_what_a_fault_did_is_read_from_the_two_edges(sent: object, did: str) -> None:
    """Each way of hitting an exchange has its words, whatever the fault is called."""
    drill = Drill()
    drill.fault("f", "some.fault", "primary", at=10, lasts=10)
    drill.exchange("a", "primary", 12, hit="f", sent=sent, received=edge(12))
    drill.exchange("a", "secondary", 13, sent=refusing_edge(13, 500))
    drill.call("a", 12, "", error="reset", status=None)
    drill.expect("success >= 95%")

    assert told(drill) == [f"1 call failed with a reset connection: some.fault (fault 'f') {did}"]


def test_failure_after_the_first_content_is_no_missing_fallback() -> None:
    """Once content has reached the client an honest error is all that a gateway can give."""
    drill = lossy()
    drill.exchange("a", "primary", 12, hit="lossy", sent=cut_edge(12, ended="reset"))
    drill.call("a", 12, CUT, error="event")
    drill.expect("success >= 95%")

    assert told(drill) == [
        (
            "1 call learned of a failure after the first content (an error event): sse.drop (fault 'lossy') broke "
            "primary's answer off"
        )
    ]


def test_fallback_that_was_cut_off_itself_is_not_missed() -> None:
    """A backend under a fault that may make it unreachable was not healthy."""
    drill = partitioned()
    drill.fault("down", "conn.refuse", "secondary", at=10, lasts=10, counts_hits=False)
    drill.exchange("a", "primary", 11, hit="part", sent=silent_edge(0, 12))
    drill.call("a", 11, "", error="http", status=504)
    drill.expect("success >= 95%")

    assert told(drill) == ["1 call failed with HTTP 504: partition (fault 'part') kept primary silent"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"error": "http", "status": 500}, "failed with HTTP 500 although no request reached a backend"),
        ({"error": "http", "status": None}, "failed with no answer although no request"),
        ({"error": "odd", "status": None}, "failed with odd error although no request"),
        ({"error": "timeout"}, "timed out although no request reached a backend"),
        ({"error": "hung"}, "hung although no request reached a backend"),
    ],
)
def test_failure_that_never_reached_a_backend(changes: dict[str, Any], words: str) -> None:
    """A gateway that fails by itself is told as that."""
    drill = Drill()
    drill.call("a", 12, "", **changes)
    drill.expect("success >= 95%")

    assert words in told(drill)[0]


def test_stream_that_stalled_until_the_timeout() -> None:
    """A silence after the first content needs another deadline than one before it."""
    drill = Drill()
    drill.fault("s", "time.stall", "primary", at=10, lasts=10)
    drill.exchange("a", "primary", 12, hit="s", sent=cut_edge(12, ended="gone"))
    drill.call("a", 12, CUT, took=20, error="timeout", last_content_at=ORIGIN + 13)
    drill.expect("timeout_rate <= 1%")

    assert told(drill) == [
        (
            "1 call waited up to 19.00s for the rest of primary's answer and timed out: time.stall (fault 's') "
            "held primary's stream up, and the gateway set no deadline between events"
        )
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"error": "connect", "status": None}, "failed with a refused connection before a request reached a backend"),
        ({"error": "timeout", "status": None}, "timed out before a request reached a backend"),
    ],
)
def test_a_connection_that_was_never_heard(changes: dict[str, Any], sentence: str) -> None:
    """No request is known, but a fault on connections acted then: it is named, one that had ended is not."""
    drill = Drill()
    drill.fault("early", "conn.blackhole", "primary", at=1, lasts=5)
    drill.fault("part", "partition", "primary", at=10, lasts=10)
    drill.call("a", 12, "", **changes)
    drill.expect("success >= 99%")

    assert told(drill) == [f"1 call {sentence}: partition (fault 'part') was acting"]


@pytest.mark.parametrize(
    ("text", "changes", "sentence"),
    [
        (LOSSY, {}, "got a text with parts missing or changed: {}, and nobody noticed (a)"),
        ("", {"error": "http", "status": 503}, "failed with HTTP 503 ({})"),
        ("", {"error": "timeout", "status": None}, "timed out ({})"),
    ],
)
def test_without_a_tag_nobody_is_blamed_or_acquitted(text: str, changes: dict[str, Any], sentence: str) -> None:
    """A call of a pool of prompts cannot be joined with its requests, so nothing is said about their faults."""
    drill = lossy()
    drill.exchange(None, "primary", 12, hit="lossy")
    drill.call("a", 12, text, tagged=False, **changes)
    drill.expect("success >= 99%")

    unknown = "which requests they cost is not known, for they carried no tag"
    assert told(drill) == [f"1 call {sentence.format(unknown)}"]


def test_slow_answer_of_one_backend() -> None:
    """A late first token without a second request is told with the fault that touched it."""
    drill = Drill()
    drill.fault("slow", "time.first_token", "primary", at=10, lasts=10)
    drill.exchange("a", "primary", 12, hit="slow")
    drill.call("a", 12, first_content_at=ORIGIN + 20)
    drill.expect("ttft.max <= 2s")

    assert told(drill) == ["1 call got late or slow answers: time.first_token (fault 'slow') acted on primary's answer"]


def test_leaked_text() -> None:
    """Another call's tag in an answer is told."""
    drill = Drill()
    drill.call("a", 12, LOSSY, foreign="b")
    drill.expect("leaked == 0")

    assert told(drill) == ["1 call got text of another call: no fault of ours was involved (a)"]


def test_duplicated_text_of_a_single_request() -> None:
    """A repetition within one request is not a retry."""
    drill = lossy()
    drill.exchange("a", "primary", 12, hit="lossy", sent=edge(12, CUT + WHOLE))
    drill.call("a", 12, CUT + WHOLE, restarted_at=100)
    drill.expect("duplicated == 0")

    assert told(drill) == ["1 call got text twice: sse.drop (fault 'lossy') changed the text of primary's answer (a)"]


def test_measure_without_a_known_cause_is_told_with_its_value() -> None:
    """Whatever deviates is told at least with what was observed."""
    drill = Drill()
    drill.traffic(0, 4)
    drill.call("a", 12, output_tokens=10, expected_tokens=20)
    drill.expect("upstream_requests <= 3")
    drill.expect("usage_error <= 1%")

    assert told(drill) == [
        "upstream_requests <= 3 does not hold in all: 4",
        "usage_error <= 1% does not hold in all: 50%; the worst, 50%, in 1 call where " + UNTOUCHED + " (a)",
    ]


def test_only_the_most_frequent_causes_are_told() -> None:
    """An expectation with many causes tells three, the most frequent first."""
    drill = Drill()
    for number, kind in enumerate(["reset"] * 3 + ["event"] * 4 + ["protocol"] * 2 + ["usage"]):
        drill.call(f"c{number}", 12, "", error=kind)
    drill.expect("success >= 95%")

    assert [sentence.split(" although")[0] for sentence in told(drill)] == [
        "4 calls failed with an error event",
        "3 calls failed with a reset connection",
        "2 calls failed with a broken protocol",
    ]


# ------------------------------------------------------------------------------------------------------------- notes


def test_pass_that_rests_on_flagged_calls_says_so() -> None:
    """A check that held only because a gateway noticed the damage names the calls that it flagged."""
    drill = lossy()
    for number in range(7):
        drill.exchange(f"c{number}", "primary", 12, hit="lossy", sent=edge(12, LOSSY))
        drill.call(f"c{number}", 12, LOSSY, error="event")
    drill.expect("silent_corrupt == 0")

    verdict = judge(drill.journal(), drill.claims)

    assert verdict.exit_code == 0
    assert verdict.headline == (
        "the 1 expectation held; silent_corrupt held only because 7 calls that sse.drop (fault 'lossy') hit "
        "got flagged as failed (an error event)"
    )


def test_flagged_calls_without_a_check_on_content_are_a_plain_note() -> None:
    """Without a check that rests on them, flagged calls are still told."""
    drill = lossy()
    drill.exchange("a", "primary", 12, hit="lossy", sent=edge(12, LOSSY))
    drill.call("a", 12, LOSSY, error="usage", expected=text_of(WHOLE))
    drill.expect("success >= 50%")

    assert told(drill, "note") == [
        "1 call that sse.drop (fault 'lossy') hit got flagged as failed (a token count that did not fit the text)"
    ]


def test_calls_that_had_not_ended_are_told_as_such() -> None:
    """Where the journal ends too early for a call, that is its cause."""
    drill = Drill(ended="interrupted")
    for number in range(9):
        drill.call(f"c{number}", 12, "", error="connect", status=None)
    drill.call("open", 13, "", end_at=None, status=None)
    drill.expect("success >= 95%")

    assert told(drill)[1] == "1 call had not ended when the journal does"


def test_requests_in_time_are_not_blamed_for_ignoring_retry_after() -> None:
    """Only calls that came back too early are told as such; otherwise the value speaks."""
    drill = Drill()
    drill.good("a", 12)
    drill.expect("retry_after_ignored >= 1")

    assert told(drill) == ["retry_after_ignored >= 1 does not hold in all: 0"]


def test_calls_in_time_without_a_known_oracle_are_told_by_their_backend() -> None:
    """A text that stops where its backend's did, under a call that nobody hit, is the backend's own."""
    drill = Drill()
    drill.call("a", 12, CUT)
    drill.expect("silent_truncated == 0")

    assert "no fault of ours was involved" in told(drill)[0]


def test_goodput_and_served_by_are_told() -> None:
    """Calls that missed an objective are explained; a share of a backend is told as its value."""
    drill = partitioned()
    drill.exchange("slow", "primary", 12, hit="part", sent=silent_edge(0, ORIGIN + 17))
    drill.exchange("slow", "secondary", 17)
    drill.call("slow", 12, first_content_at=ORIGIN + 17.2, took=6)
    drill.expect("goodput(ttft <= 1s) >= 1/s")
    drill.expect("served_by(primary) >= 99%")

    assert told(drill) == [
        "1 call waited up to 5.00s at primary before secondary was asked: partition (fault 'part') kept primary silent",
        "served_by(primary) >= 99% does not hold in all: 90.91%",
    ]


def test_pass_rests_only_on_calls_that_would_have_broken_it() -> None:
    """A flagged cut is no reason why nothing was corrupt."""
    drill = truncated()
    drill.exchange("a", "secondary", 12, hit="cut", sent=cut_edge(12))
    drill.call("a", 12, CUT, error="event")
    drill.expect("silent_corrupt == 0")
    drill.expect("silent_truncated == 0")
    drill.expect("content_intact == 100%")

    (note,) = (finding for finding in judge(drill.journal(), drill.claims).findings if finding.kind == "note")

    assert note.about == ("silent_truncated", "content_intact")


def test_fault_on_every_request_of_a_call_is_told_once() -> None:
    """A fault that hit all backends is named once, with all that it did."""
    drill = Drill()
    drill.fault("f", "http.status", "primary", at=10, lasts=10)
    drill.exchange("a", "primary", 12, hit="f", sent=refusing_edge(12, 503))
    drill.exchange("a", "secondary", 13, hit="f", sent=refusing_edge(13, 503))
    drill.exchange("a", "primary", 14, hit="f", sent=refusing_edge(14, 503))
    drill.call("a", 12, "", error="http", status=503)
    drill.expect("success >= 95%")

    assert told(drill) == [
        "1 call failed with HTTP 503: http.status (fault 'f') made primary answer 503 and made secondary answer 503"
    ]


# ------------------------------------------------------------------------------------------------------ toxics


def at_the_entry(fault_type: str) -> Drill:
    """A run whose clients call a listener of ours, ``front``; behind it stands a gateway with a primary."""
    drill = Drill()
    drill.fault("cut", fault_type, "front", at=10, lasts=10)
    drill.traffic(0, 10)
    return drill


@pytest.mark.parametrize("entry", ["front", None])
@pytest.mark.parametrize("reached", [True, False], ids=["reached", "not reached"])
def test_what_a_toxic_cut_before_the_client_is_not_the_gateways_fault(entry: str | None, *, reached: bool) -> None:
    """The gateway answered in time, or was never asked; nothing of its own could have helped. Elsewhere it could."""
    drill = at_the_entry("toxic.timeout")
    drill.claims = replace(drill.claims, entry=entry, backends=("front", "primary"))
    if reached:
        drill.exchange("a", "primary", 12.1)
    drill.exchange("a", "front", 12.2, hit="cut", sent=silent_edge(ORIGIN + 12.2, ORIGIN + 32))
    drill.call("a", 12, "", took=20, error="timeout", status=None)
    drill.expect("timeout_rate <= 1%")

    (sentence,) = told(drill)
    on_its_own = "the entry itself" if reached else "on the client's own connection"
    assert (f"toxic.timeout (fault 'cut') kept front silent, {on_its_own}" in sentence) is (entry == "front")
    assert ("gateway" in sentence) is (entry is None)


def test_a_replay_of_a_spoilt_answer_is_a_poisoned_cache() -> None:
    """The words are those that the fault had left, and no request was under way that could have brought them."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=5)
    drill.exchange(None, "primary", 12, hit="cut", sent=cut_edge(ORIGIN + 12))
    drill.call("late", 30, CUT, tagged=False)
    drill.expect("silent_truncated == 0")

    (sentence,) = told(drill)
    assert "a cache replayed what stream.truncate (fault 'cut') had left of an earlier answer of primary" in sentence
    assert "(cache poisoning)" in sentence


@pytest.mark.parametrize("at", [29.5, 30.5])
def test_a_call_that_may_have_asked_itself_is_no_replay(at: float) -> None:
    """Another request with the same words was under way."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=25)
    for when in (12, at):
        drill.exchange(None, "primary", when, hit="cut", sent=cut_edge(ORIGIN + when))
    drill.call("late", 30, CUT, tagged=False)
    drill.expect("silent_truncated == 0")

    assert "cache" not in told(drill)[0]


def test_what_ended_a_stream_is_the_last_that_acted_on_it() -> None:
    """A comment in its midst and a late first token are no reason for a stream that was cut after them."""
    drill = truncated()
    drill.fault("slow", "time.first_token", "secondary", at=10, lasts=10)
    drill.fault("chatty", "sse.comment", "secondary", at=10, lasts=10)
    for name, at in (("c0", 12.0), ("c1", 13.0)):
        exchange = drill.exchange(name, "secondary", at, hit="slow", sent=cut_edge(ORIGIN + at))
        for fault, hit_at in (("chatty", at + 0.2), ("cut", at + 0.4)):
            hit = FaultHit(fault=fault, at=ORIGIN + hit_at, listener="secondary", exchange=exchange, call=name)
            drill.records.append(hit)
        drill.call(name, at, CUT, finish="stop")
    drill.expect("silent_truncated == 0")

    (sentence,) = [line for line in told(drill) if "passed off as whole" in line]

    assert "stream.truncate (fault 'cut') ended secondary's stream early" in sentence
    assert "sse.comment" not in sentence
    assert "time.first_token" not in sentence


def counted(drill: Drill, name: str, at: float, hit: str | None, *, sent: int | None, got: int | None) -> None:
    """A whole answer of 20 tokens: what the proxy sent as their count, and what the client was told."""
    drill.exchange(name, "primary", at, hit=hit, sent=edge(ORIGIN + at, output_tokens=sent))
    drill.call(name, at, output_tokens=got, expected_tokens=20)


def test_a_wrong_count_names_the_worst_calls_and_their_fault() -> None:
    """Not the most calls, and not the first: those of the fault that the observed value comes from."""
    drill = Drill()
    drill.fault("missing", "llm.usage", "primary", at=10, lasts=5)
    drill.fault("tenfold", "llm.usage", "primary", at=20, lasts=5)
    for number in range(4):
        counted(drill, f"none-{number}", 10 + number, "missing", sent=None, got=None)
    for number in range(2):
        counted(drill, f"ten-{number}", 20 + number, "tenfold", sent=200, got=200)
    drill.expect("usage_error.max == 0%")

    (finding,) = [each for each in judge(drill.journal(), drill.claims).findings if each.kind == "deviated"]
    assert finding.sentence == (
        "usage_error.max == 0% does not hold in all: 900%; the worst, 900%, among 2 calls that llm.usage (fault "
        "'tenfold') hit on primary, and the gateway passed the counts on (ten-0, ten-1)"
    )
    assert finding.calls == ("ten-0", "ten-1", "none-0", "none-1", "none-2", "none-3")


@pytest.mark.parametrize(
    ("hit", "sent", "got", "words"),
    [
        (
            "f",
            None,
            None,
            "1 call that llm.usage (fault 'f') hit on primary, and no count at all reached the client (a)",
        ),
        ("f", 10, 40, "1 call that llm.usage (fault 'f') hit on primary (a)"),
        (None, 40, 40, "1 call where no fault of ours was involved (a)"),
    ],
)
def test_what_became_of_a_count(hit: str | None, sent: int | None, got: int | None, words: str) -> None:
    """Passed on, dropped or made anew by the gateway; without a fault nobody of ours is blamed."""
    drill = Drill()
    drill.fault("f", "llm.usage", "primary", at=10, lasts=5, min_hits=0)
    counted(drill, "a", 10, hit, sent=sent, got=got)
    drill.expect("usage_error.max == 0%")

    assert told(drill) == [f"usage_error.max == 0% does not hold in all: 100%; the worst, 100%, in {words}"]
