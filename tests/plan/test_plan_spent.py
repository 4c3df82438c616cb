"""A rule that ended by itself, and an owner who has not heard of it."""

from __future__ import annotations

from chaosproxy.dice import Dice
from chaosproxy.plan.counters import LocalCounters
from chaosproxy.plan.plan import Plan
from chaosproxy.plan.rule import Rule

SHORT = Rule.model_validate({"id": "short", "listeners": ["a"], "do": {"type": "conn.blackhole"}, "lasts": "1s"})
LONG = Rule.model_validate({"id": "long", "listeners": ["a"], "do": {"type": "conn.blackhole"}})


def _active(plan: Plan) -> list[str]:
    return [active.rule.id for active in plan.active]


class TestSpentRules:
    """What ``apply`` does with a rule that ended after its ``lasts``."""

    def test_it_does_not_begin_again_while_its_owner_still_asks_for_it(self) -> None:
        """An owner that adds a rule just after another one ended does not restart that one."""
        plan = Plan(LocalCounters())
        plan.apply([SHORT], "run", 5, Dice(1), 0)
        plan.advance(1.5)

        plan.apply([SHORT, LONG], "run", 5, Dice(1), 1.6)

        assert _active(plan) == ["long"]

    def test_it_begins_again_after_the_owner_left_it_out(self) -> None:
        """Leaving a rule out and asking again means a new begin."""
        plan = Plan(LocalCounters())
        plan.apply([SHORT], "run", 5, Dice(1), 0)
        plan.advance(1.5)
        plan.apply([], "run", 5, Dice(1), 1.6)

        plan.apply([SHORT], "run", 5, Dice(1), 1.7)

        assert _active(plan) == ["short"]

    def test_another_owner_may_use_the_id(self) -> None:
        """A rule that is over blocks nobody else."""
        plan = Plan(LocalCounters())
        plan.apply([SHORT], "run", 5, Dice(1), 0)
        plan.advance(1.5)

        plan.apply([SHORT], "other", 5, Dice(1), 1.6)

        assert _active(plan) == ["short"]

    def test_it_is_forgotten_with_its_lease(self) -> None:
        """An owner that comes back after its lease begins anew."""
        plan = Plan(LocalCounters())
        plan.apply([SHORT], "run", 5, Dice(1), 0)
        plan.advance(1.5)

        plan.apply([SHORT], "run", 5, Dice(1), 6)

        assert _active(plan) == ["short"]
