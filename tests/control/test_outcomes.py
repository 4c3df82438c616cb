"""One exchange, judged by its record alone."""

from __future__ import annotations

from typing import Any

import pytest

from chaosproxy.control.outcomes import Cause, Fate, Outcome, cause_of, fate_of, outcome_of, upstream_error_of
from chaosproxy.dice import Dice
from chaosproxy.events import Exchange
from chaosproxy.plan.counters import LocalCounters
from chaosproxy.plan.decision import Decider
from chaosproxy.plan.rule import Rule

WHOLE = {"status": 200, "ended": "end", "terminal": True}


@pytest.mark.parametrize(
    ("sent", "outcome"),
    [
        (WHOLE, Outcome.OK),
        ({"status": 200, "ended": "end", "finish": "stop"}, Outcome.OK),
        ({"status": 200, "ended": "end"}, Outcome.TRUNCATED),
        ({"status": 503, "ended": "end"}, Outcome.ERROR),
        ({**WHOLE, "error_event": True}, Outcome.ERROR),
        ({**WHOLE, "ended": "reset"}, Outcome.CUT),
        ({**WHOLE, "ended": "fin"}, Outcome.CUT),
        ({"status": 503, "ended": "fin"}, Outcome.CUT),
        ({"ended": "reset"}, Outcome.CUT),
        ({"ended": "end"}, Outcome.CUT),
        ({}, Outcome.CUT),
        ({**WHOLE, "ended": "gone"}, Outcome.CLIENT_GONE),
        ({**WHOLE, "ended": "unfinished"}, Outcome.UNFINISHED),
        ({"status": 101, "ended": "end"}, Outcome.OK),
    ],
)
def test_the_outcome_of_a_stream(sent: dict[str, Any], outcome: Outcome) -> None:
    """By how the client's edge ended, its status and its last events."""
    assert outcome_of(sent, stream=True) is outcome


def test_an_answer_that_is_no_stream_needs_no_last_event() -> None:
    """Its framing says that it is whole."""
    assert outcome_of({"status": 200, "ended": "end"}, stream=False) is Outcome.OK


@pytest.mark.parametrize(
    ("received", "error", "kind"),
    [
        ({"status": 200}, None, None),
        ({}, None, None),
        ({"status": 429}, None, "http_4xx"),
        ({"status": 503}, None, "http_5xx"),
        ({"status": 700}, None, None),
        ({}, "connect: connection refused", "connect"),
        ({"status": 200}, "incomplete: the stream ended in mid-event", "incomplete"),
        ({"status": 200}, "event: the upstream sent an error event", "event"),
        ({}, "internal: a fault failed", None),
    ],
)
def test_what_the_upstream_did_wrong(received: dict[str, Any], error: str | None, kind: str | None) -> None:
    """Its own failures have a kind; ours are not its own."""
    assert upstream_error_of(received, error) == kind


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        ({"upstream_failed": True, "injected": True}, Cause.UPSTREAM),
        ({"injected": True}, Cause.INJECTED),
        ({"outcome": Outcome.CLIENT_GONE, "injected": True}, Cause.INJECTED),
        ({"outcome": Outcome.CLIENT_GONE}, Cause.CLIENT),
        ({"outcome": Outcome.UNFINISHED}, Cause.PROXY),
        ({"error": "internal: a fault failed", "injected": True}, Cause.PROXY),
    ],
)
def test_whose_failure_it_is(facts: dict[str, Any], cause: Cause) -> None:
    """What an upstream did by itself is never said to be injected."""
    given: dict[str, Any] = {
        "outcome": Outcome.ERROR,
        "error": None,
        "upstream_failed": False,
        "injected": False,
        **facts,
    }

    assert cause_of(given.pop("outcome"), **given) is cause


def _refusal(body_read: bool = True, **changes: Any) -> str:
    """The reason of the plan for an exchange that it does not choose."""
    rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": {"type": "http.status", "status": 503}, **changes})
    decider = Decider(rule, Dice(1), 0.0, LocalCounters())
    exchange = Exchange("a-1", "a", 1, "POST", "/", dice_key="k", body_read=body_read, stream=False)
    if rule.max_hits is not None:
        decider.decide(exchange, 0.0)
    return decider.decide(exchange, 0.0).reason


@pytest.mark.parametrize(
    "changes",
    [
        {"match": {"path": "/v1/*"}},
        {"match": {"stream": True}},
        {"match": {"header": {"x-user": "7"}}},
        {"match": {"nth": 9}},
        {"match": {"skip": 3}},
        {"share": 0.0000001},
        {"max_hits": 1},
        {"do": {"type": "http.rate_limit", "requests_per_minute": 100}},
    ],
)
def test_a_fault_that_is_not_meant_lets_pass(changes: dict[str, Any]) -> None:
    """Every reason of the plan's own, in the very words in which it gives it."""
    assert fate_of(_refusal(**changes), attached=False) is Fate.PASSED


@pytest.mark.parametrize(
    "reason",
    [
        _refusal(body_read=False, match={"model": "gpt-*"}),
        _refusal(do={"type": "sse.drop", "each": 2}),
        "nothing came that it acts on",
    ],
)
def test_a_fault_that_could_not_act_is_not_applicable(reason: str) -> None:
    """A body that was not read, a plain answer for a fault on events, bytes that never came."""
    assert fate_of(reason, attached=False) is Fate.NOT_APPLICABLE


def test_a_fault_that_was_at_work_has_taken_effect_or_could_not() -> None:
    """Whatever its stage says: ``match.`` in the words of a plugin is not the plan's."""
    assert fate_of(None, attached=True) is Fate.INJECTED
    assert fate_of("match.path: of a plugin", attached=True) is Fate.NOT_APPLICABLE
