"""Who a request is, and what its chance depends on."""

from __future__ import annotations

import pytest

from chaosproxy.events import Headers
from chaosproxy.plan.identity import Attempts, Identity, call_tag, identify, trace_id

TRACE = "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _who(
    headers: Headers = (), prompt: str | None = None, body: bytes = b"", attempts: Attempts | None = None
) -> Identity:
    return identify(headers, prompt, body, listener="a", attempts=attempts or Attempts(10))


@pytest.mark.parametrize(
    ("headers", "call"),
    [
        ((("X-Chaosproxy-Call", "mine"), ("traceparent", TRACE), ("idempotency-key", "k")), "mine"),
        ((("traceparent", TRACE), ("idempotency-key", "k")), "0af7651916cd43dd8448eb211c80319c"),
        ((("traceparent", "garbage"), ("idempotency-key", "k")), "k"),
        ((), "cp-abcd-7"),
    ],
)
def test_calls_are_named_in_this_order(headers: Headers, call: str) -> None:
    """Our header, a trace, an idempotency key, the tag in the prompt."""
    assert _who(headers, "hello cp-abcd-7").call == call


def test_only_our_own_names_roll_dice() -> None:
    """A trace or an idempotency key is new in each run, so chance does not see it."""
    tagged = _who((("traceparent", TRACE),), "cp-abcd-7").dice_key

    assert tagged == _who((("idempotency-key", "other"),), "cp-abcd-7").dice_key
    assert tagged != _who((), "cp-abcd-8").dice_key


def test_a_retry_draws_anew() -> None:
    """The attempt at this listener is part of the key."""
    attempts = Attempts(10)
    first, second = (_who(prompt="cp-abcd-7", attempts=attempts) for _ in range(2))

    assert (first.attempt, second.attempt) == (1, 2)
    assert first.dice_key != second.dice_key


def test_a_listener_draws_for_itself() -> None:
    """A fault on two listeners does not hit the same calls on both."""
    attempts = Attempts(10)
    one, two = (identify((), "cp-abcd-7", b"", listener=name, attempts=attempts) for name in ("a", "b"))

    assert (one.attempt, two.attempt) == (1, 1)
    assert one.dice_key != two.dice_key


def test_a_nameless_request_is_known_by_its_body() -> None:
    """Equal bodies are told apart by their occurrence, and belong to no call."""
    attempts = Attempts(10)
    first, again, other = (_who(body=body, attempts=attempts) for body in (b"x", b"x", b"y"))

    assert len({first.dice_key, again.dice_key, other.dice_key}) == 3
    assert first.dice_key == _who(body=b"x").dice_key
    assert [who.call for who in (first, again, other)] == [None] * 3
    assert again.attempt == 1


def test_attempts_of_a_joined_call_are_counted() -> None:
    """Also when another name rolls its dice."""
    attempts = Attempts(10)
    numbers = [_who((("idempotency-key", "k"),), f"cp-abcd-{number}", attempts=attempts).attempt for number in (1, 2)]

    assert numbers == [1, 2]


def test_memory_is_bounded() -> None:
    """The call that was not seen for longest is forgotten first."""
    attempts = Attempts(2)
    assert [attempts.next(key) for key in ("a", "b", "a", "c", "a", "b")] == [1, 1, 2, 1, 3, 1]


def test_the_last_tag_counts() -> None:
    """A conversation repeats earlier prompts before the new one."""
    assert call_tag("cp-abcd-1 and cp-abcd-12") == "cp-abcd-12"
    assert call_tag(None) is None
    assert trace_id(None) is None
