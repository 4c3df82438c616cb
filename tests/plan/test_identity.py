"""Who a request is: which call it belongs to, which attempt it is, and what its dice may depend on."""

from __future__ import annotations

import pytest

from chaosproxy.events import Headers
from chaosproxy.plan.counters import Counters, LocalCounters
from chaosproxy.plan.identity import Identity, call_tag, identify, trace_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")
KEY = ("idempotency-key", "stainless-python-retry-1")
NAMED = ("x-chaosproxy-call", "checkout-7")
TAGGED = "[cp-ab12-7] hello"


def _who(
    *headers: tuple[str, str], prompt: str = "hello", body: bytes = b"{}", counters: Counters | None = None
) -> Identity:
    fields: Headers = headers
    return identify(fields, prompt, body, listener="a", counters=counters or LocalCounters())


class TestJoining:
    """Which name joins the exchanges of a call."""

    @pytest.mark.parametrize(
        ("headers", "prompt", "call"),
        [
            ((NAMED, TRACEPARENT, KEY), TAGGED, "checkout-7"),
            ((TRACEPARENT, KEY), TAGGED, "cp-ab12-7"),
            ((TRACEPARENT, KEY), "hello", TRACE),
            ((KEY,), "hello", "stainless-python-retry-1"),
            ((), "hello", None),
            ((("traceparent", "nonsense"),), "hello", None),
        ],
    )
    def test_the_surest_name_wins(self, headers: Headers, prompt: str, call: str | None) -> None:
        """What a gateway may make anew for each request never hides the tag of our load."""
        assert _who(*headers, prompt=prompt).call == call

    def test_a_conversation_is_named_by_its_last_tag(self) -> None:
        """Earlier messages carry the tags of earlier calls."""
        assert call_tag("cp-ab12-1 first\ncp-ab12-2 second") == "cp-ab12-2"
        assert call_tag(None) is None

    def test_a_trace_id_is_read_strictly(self) -> None:
        """Version, trace id, parent id, flags; unknown later fields are allowed (W3C Trace Context, 3.2)."""
        assert trace_id(f"00-{TRACE}-00f067aa0ba902b7-01-more") == TRACE
        assert trace_id(f"00-{TRACE}") is None


class TestOccurrences:
    """How often the same was asked."""

    def test_counts_bodies_and_tagged_calls(self) -> None:
        """Whatever joins them otherwise: a trace or a key may hold different requests."""
        counters = LocalCounters()
        seen = [_who(KEY, body=body, counters=counters).occurrence for body in (b"1", b"2", b"1")]
        seen += [_who(prompt=TAGGED, body=body, counters=counters).occurrence for body in (b"3", b"4")]

        assert seen == [1, 1, 2, 1, 2]


class TestAttempts:
    """How the attempts of a call are counted."""

    def test_a_retry_is_the_next_attempt_and_draws_anew(self) -> None:
        """The same call at the same listener gets another number and another dice key."""
        counters = LocalCounters()
        first, second = _who(prompt=TAGGED, counters=counters), _who(prompt=TAGGED, counters=counters)

        assert [first.attempt, second.attempt] == [1, 2]
        assert first.dice_key != second.dice_key

    def test_attempts_of_one_trace_are_counted_though_their_bodies_differ(self) -> None:
        """The trace joins them; their dice go by their bodies."""
        counters = LocalCounters()
        first = _who(TRACEPARENT, body=b"1", counters=counters)
        second = _who(TRACEPARENT, body=b"2", counters=counters)

        assert [first.attempt, second.attempt] == [1, 2]

    def test_only_so_many_calls_are_remembered(self) -> None:
        """The oldest is forgotten."""
        counters = LocalCounters(calls=2)
        numbers = [counters.attempt(key) for key in ("a", "b", "a", "c", "a")]

        assert numbers == [1, 1, 2, 1, 1]


class TestDiceKey:
    """What chance may depend on."""

    def test_two_runs_of_one_seed_throw_the_same_dice(self) -> None:
        """The nonce of a run is not part of the key, the number of the call is."""
        assert _who(prompt="cp-ab12-7 x").dice_key == _who(prompt="cp-ff00-7 x").dice_key
        assert _who(prompt="cp-ab12-7 x").dice_key != _who(prompt="cp-ab12-8 x").dice_key

    def test_the_second_run_at_a_proxy_that_stays_throws_them_too(self) -> None:
        """Attempts are counted in each run from one; a retry within a run goes on."""
        counters = LocalCounters()
        first, retry, second = (_who(prompt=f"cp-{nonce}-7 x", counters=counters) for nonce in ("ab12", "ab12", "ff00"))

        assert (second.dice_key, second.attempt) == (first.dice_key, 1)
        assert (retry.attempt, retry.dice_key == first.dice_key) == (2, False)

    def test_random_headers_do_not_enter_it(self) -> None:
        """The headers traceparent and idempotency-key differ in every run."""
        assert _who(TRACEPARENT, KEY).dice_key == _who().dice_key

    def test_a_nameless_request_goes_by_its_body_and_occurrence(self) -> None:
        """The second of two equal bodies is another throw."""
        counters = LocalCounters()
        first, second = _who(counters=counters), _who(counters=counters)

        assert first.dice_key != second.dice_key
        assert first.dice_key == _who().dice_key
        assert first.attempt == second.attempt == 1
