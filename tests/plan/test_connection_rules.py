"""Rules that act on connections, below HTTP: what the plan does with them, and whom they choose."""

from __future__ import annotations

from chaosproxy.dice import Dice
from chaosproxy.events import Exchange
from chaosproxy.faults.toxic.base import Direction
from chaosproxy.plan.counters import LocalCounters
from chaosproxy.plan.plan import Plan
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.placing import stages_of

EXCHANGE = Exchange(id="e", listener="a", ordinal=1, method="POST", path="/")


def plan(*rules: Rule, seed: int = 1) -> Plan:
    """A plan in which these rules act for a minute."""
    active = Plan(LocalCounters())
    active.apply(rules, "test", 60, Dice(seed), 0.0)
    return active


def toxic(rule_id: str = "f", kind: str = "latency", **more: object) -> Rule:
    """A toxic at listener a."""
    settings = {"type": f"toxic.{kind}", **dict(more.pop("settings", {}))}  # type: ignore[call-overload]
    return Rule.model_validate({"id": rule_id, "listeners": ["a"], "do": settings, **more})


def chosen(seed: int, rule_id: str = "f", direction: str = "downstream") -> list[int]:
    """Which of a hundred connections a toxic of half toxicity poisons."""
    (active,) = plan(toxic(rule_id, settings={"toxicity": 0.5, "direction": direction}), seed=seed).acting("a")
    return [number for number in range(100) if list(stages_of(active, f"a#{number}", is_open=False))]


def test_no_exchange_is_decided_by_them() -> None:
    """Neither new ones nor open ones; they act at their listener, and edit nothing there."""
    active = plan(toxic())

    assert active.decide(EXCHANGE, 1.0) == []
    assert active.decide_open("f", EXCHANGE, 1.0) is None
    assert not active.edits_frames("a")
    assert [each.rule.id for each in active.acting("a")] == ["f"]
    assert active.acting("b") == []


def test_they_reach_what_is_open() -> None:
    """Whatever ``streams`` says: a connection has no beginning that a toxic could wait for."""
    assert toxic().reaches_open
    assert toxic(streams="new").reaches_open


def test_a_flap_takes_them_away_and_brings_them_back() -> None:
    """As with any rule."""
    active = plan(toxic(flap={"down": 1.0, "up": 2.0}))

    active.advance(1.5)
    assert active.acting("a") == []
    active.advance(3.5)
    assert len(active.acting("a")) == 1


def test_down_closes_the_port_and_ends_open_connections() -> None:
    """Both are one rule."""
    active = plan(toxic(kind="down"))
    (acting,) = active.acting("a")

    assert active.gate("a") is not None
    assert [direction for direction, _ in stages_of(acting, "a#1", is_open=True)] == [Direction.DOWNSTREAM]


def test_toxicity_depends_on_seed_rule_connection_and_direction_alone() -> None:
    """The same draws again; other ones for each part of the key; about half of them."""
    first = chosen(1)

    assert first == chosen(1)
    assert len({tuple(first), tuple(chosen(2)), tuple(chosen(1, "g")), tuple(chosen(1, direction="upstream"))}) == 4
    assert 30 <= len(first) <= 70


def test_another_toxic_rolls_no_dice_again() -> None:
    """Adding one changes nothing for the first."""
    half = {"toxicity": 0.5}
    both = plan(toxic(settings=half), toxic("g", settings=half)).acting("a")

    assert [n for n in range(100) if list(stages_of(both[0], f"a#{n}", is_open=False))] == chosen(1)


def test_partitions_hold_the_directions_of_their_mode() -> None:
    """One-way ones one, on open connections as ``live_streams`` says."""

    def held(is_open: bool, **settings: object) -> list[Direction]:
        rule = Rule.model_validate({"id": "p", "listeners": ["a"], "do": {"type": "partition", **settings}})
        (active,) = plan(rule).acting("a")
        return [direction for direction, _ in stages_of(active, "a#1", is_open=is_open)]

    both = [Direction.UPSTREAM, Direction.DOWNSTREAM]
    assert held(False) == held(True) == both
    assert held(False, mode="lost_request") == [Direction.UPSTREAM]
    assert held(True, mode="lost_response") == [Direction.DOWNSTREAM]
    assert held(True, live_streams="keep") == []
    assert held(True, live_streams="cut") == [Direction.DOWNSTREAM]
