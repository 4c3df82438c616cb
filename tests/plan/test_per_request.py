"""Faults that a request asks for itself, as rules."""

from __future__ import annotations

import pytest

from chaosproxy.dice import Dice
from chaosproxy.errors import BadValue
from chaosproxy.events import Exchange
from chaosproxy.faults import describe
from chaosproxy.plan.per_request import FAULTS_MAX, asked_faults, decide_asked, rules_asked_for


def exchange(key: str = "k") -> Exchange:
    """A streamed chat request."""
    return Exchange("x-1", "a", 1, "POST", "/", "openai.chat", "m", stream=True, dice_key=key)


def mistakes(*values: str) -> list[str]:
    """The lines of the message."""
    with pytest.raises(BadValue) as refused:
        rules_asked_for(values, "a")
    return str(refused.value).splitlines()


def test_the_fields_are_found_whatever_their_case() -> None:
    """In their order, and no others."""
    headers = (("X-ChaosProxy-Fault", "a"), ("x-chaosproxy-call", "c"), ("x-chaosproxy-fault", "b"))

    assert asked_faults(headers) == ("a", "b")


def test_each_fault_becomes_a_rule_of_this_listener() -> None:
    """Several in one field and in several fields; ids tell where they come from and stay unique."""
    rules = rules_asked_for(("stream.truncate where=token:3; time.stall hold=1s;", "stream.truncate id=mine"), "a")

    assert [(rule.id, rule.listeners) for rule in rules] == [
        ("header.stream.truncate", ("a",)),
        ("header.time.stall", ("a",)),
        ("header.mine", ("a",)),
    ]
    assert describe(rules[0].do) == {"type": "stream.truncate", "where": "token:3"}


def test_quotes_hold_a_semicolon() -> None:
    """As in a shell."""
    (rule,) = rules_asked_for(("http.status message='not; today' headers.x-a=\"it's; b\"",), "a")

    assert describe(rule.do)["message"] == "not; today"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "expected a fault, such as"),
        ("stream.trunc", "unknown fault 'stream.trunc', did you mean 'stream.truncate'?"),
        ("stream.truncate whre=token:5", "whre: unknown key, did you mean 'where'?"),
        ("stream.truncate message='x", "no closing quotation"),
        ("stream.truncate target=b", "target: it acts at the listener that this request came to"),
        ("stream.truncate lasts=2s", "lasts: it ends with its exchange"),
        ("stream.truncate streams=all", "streams: it is for this exchange alone"),
        ("stream.truncate max_hits=1", "max_hits: it is for this exchange alone"),
        ("stream.truncate flap.up=2s flap.down=2s", "flap: it is for this exchange alone"),
        ("stream.truncate match.nth=2", "match.first, skip, nth and each count exchanges, and this is one"),
        ("conn.refuse", "conn.refuse closes the listener, for everybody"),
        ("partition mode=reset", "partition closes the listener, for everybody"),
        ("http.rate_limit requests_per_minute=3", "a rate is over many exchanges"),
        ("conn.cap connections=3", "conn.cap: a cap is over many exchanges, and this is one"),
        (f"stream.truncate id={'x' * 60}", "at most 57 characters"),
        ("stream.truncate id=a; stream.fin id=a", "id=a: another fault of this request has this id"),
        (";".join(["stream.fin"] * (FAULTS_MAX + 1)), "17 faults for one request, and at most 16 are allowed"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(value: str, words: str) -> None:
    """Never ignored."""
    assert any(words in line for line in mistakes(value))


def test_all_mistakes_are_told_at_once() -> None:
    """Each with the fault that it is in."""
    assert [
        line.partition(": ")[0] for line in mistakes("sse.dorp", "stream.fin lasts=1s flap.up=1s flap.down=1s")
    ] == [
        "'sse.dorp'",
        *["'stream.fin lasts=1s flap.up=1s flap.down=1s'"] * 2,
    ]


def test_a_share_is_drawn_for_each_request() -> None:
    """By seed and dice key, like any other."""
    rules = rules_asked_for(("stream.fin share=50%",), "a")
    chosen = [
        decision.stage is not None
        for number in range(100)
        for decision in decide_asked(rules, Dice(1), exchange(f"k{number}"), 0.0)
    ]

    assert 30 < sum(chosen) < 70


def test_a_match_that_does_not_fit_says_so() -> None:
    """A client that sends the field with every request may narrow it."""
    rules = rules_asked_for(("stream.fin match.model=gpt-*",), "a")
    (decision,) = decide_asked(rules, Dice(1), exchange(), 0.0)

    assert decision.stage is None
    assert decision.reason == "match.model: m is not gpt-*"
