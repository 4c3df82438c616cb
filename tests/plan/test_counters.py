"""What is counted for a rule ends with the rule."""

from __future__ import annotations

from chaosproxy.dice import Dice
from chaosproxy.events import Exchange
from chaosproxy.plan.counters import LocalCounters
from chaosproxy.plan.plan import Plan
from chaosproxy.plan.rule import Rule

METERED = {"type": "http.rate_limit", "requests_per_minute": 60}
CAPPED = {"type": "conn.cap"}


def test_rules_that_come_and_go_leave_nothing_behind() -> None:
    """Hits, ordinals, quotas and seats of thousands of ids, as a proxy that runs for weeks meets them."""
    counters = LocalCounters()
    plan = Plan(counters)
    for number in range(100):
        rules = [
            Rule.model_validate({"id": f"{name}-{number}", "listeners": ["a"], "do": do, "match": {"first": 3}})
            for name, do in (("metered", METERED), ("capped", CAPPED))
        ]
        plan.apply(rules, "run", 5.0, Dice(1), number)
        plan.decide(Exchange("x-1", "a", 1, "POST", "/", dice_key="call#1"), number)
        assert counters._ordinals

    plan.clear("run", 100)
    held = (counters._ordinals, counters._chosen, counters._buckets, counters._seats)
    assert [len(each) for each in held] == [0, 0, 0, 0]
