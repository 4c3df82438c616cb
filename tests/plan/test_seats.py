"""conn.cap: who has a seat, who waits for one, and whose turn it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chaosproxy.dice import Dice
from chaosproxy.events import Exchange, Seen
from chaosproxy.plan.counters import LocalCounters, Seats
from chaosproxy.plan.plan import Plan
from chaosproxy.plan.rule import Rule

EXCHANGE = Exchange("x", "a", 1, "POST", "/", "raw", dice_key="call#1")


def rule(excess: str = "queue", **values: Any) -> Rule:
    """A cap of one."""
    return Rule.model_validate(
        {"id": "cap", "listeners": ["a"], "do": {"type": "conn.cap", "excess": excess}, **values}
    )


def reason(plan: Plan, name: str, **values: Any) -> str:
    """What is decided about an exchange."""
    return plan.decide(replace(EXCHANGE, id=name, **values), 1.0)[0].reason


def plan(*rules: Rule) -> tuple[Plan, LocalCounters]:
    """A plan and its counters."""
    counters = LocalCounters()
    made = Plan(counters)
    made.apply(rules, "run", float("inf"), Dice(1), 0.0)
    return made, counters


def test_seats_are_taken_in_the_order_of_arrival() -> None:
    """Each that is given back goes to the one who has waited for longest."""
    seats = Seats(2)

    assert [seats.take(name, wait=True) for name in "abcd"] == [True, True, False, False]
    assert [seats.leave(name) for name in "bacd"] == ["c", "d", None, None]
    assert seats.take("e", wait=True)


def test_who_gives_up_waiting_gets_no_seat() -> None:
    """Nor does anybody else by that."""
    seats = Seats(1)
    for name in "abc":
        seats.take(name, wait=True)

    assert [seats.leave(name) for name in ("b", "a", "a", "c", "nobody")] == [None, "c", None, None, None]


def test_who_does_without_is_not_waiting() -> None:
    """A seat that becomes free stays so until the next comes."""
    seats = Seats(1)

    assert [seats.take(name, wait=False) for name in "ab"] == [True, False]
    assert seats.leave("a") is None
    assert seats.take("c", wait=False)


def test_within_the_cap_there_is_no_stage() -> None:
    """Beyond it there is one, until an exchange ends."""
    made, counters = plan(rule("refuse"))

    assert [reason(made, name) for name in "ab"] == ["within its cap", "chosen"]
    assert counters.leave("b") == []
    assert counters.leave("a") == []
    assert reason(made, "c") == "within its cap"


def test_the_counters_tell_whose_turn_it_is() -> None:
    """With the rule that let it wait."""
    made, counters = plan(rule())
    for name in "abc":
        reason(made, name)

    assert [counters.leave(name) for name in "bac"] == [[], [("cap", "c")], []]


def test_an_exchange_that_is_open_already_needs_no_seat() -> None:
    """Its stage says that it comes too late."""
    made, counters = plan(rule(streams="all"))

    assert made.decide_open("cap", replace(EXCHANGE, seen=Seen(open=True)), 1.0) is not None
    assert reason(made, "b") == "within its cap"
    assert counters.leave("x") == []


def test_a_rule_that_ceases_to_act_has_no_seats() -> None:
    """Be it for good or for a while: those that wait are healed, and those that come later start anew."""
    made, counters = plan(rule(flap={"down": "2s", "up": "2s"}))
    for name in "ab":
        reason(made, name)
    made.advance(2.0)
    assert counters.leave("a") == []
    made.advance(4.0)
    assert [made.decide(replace(EXCHANGE, id=name), 4.5)[0].reason for name in "cd"] == ["within its cap", "chosen"]

    made.clear("run", 5.0)
    assert counters.leave("c") == []


def test_who_is_not_chosen_takes_no_seat() -> None:
    """The cap is on the exchanges of the rule."""
    made, _ = plan(rule(match={"path": "/v1/*"}))

    assert reason(made, "a").startswith("match")
    assert [reason(made, name, path="/v1/x") for name in "cd"] == ["within its cap", "chosen"]
