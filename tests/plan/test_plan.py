"""The plan: what acts now and for how long, and what it decides about an exchange."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaosproxy.dice import Dice
from chaosproxy.events import Ask, Exchange, Head, Hit, Seen, Tick, header
from chaosproxy.faults.base import Gate
from chaosproxy.plan.counters import LocalCounters, TokenBucket
from chaosproxy.plan.decision import Decision
from chaosproxy.plan.plan import Change, Conflict, Plan
from chaosproxy.plan.rule import Rule

FOREVER = float("inf")
EXCHANGE = Exchange(
    "x-1", "primary", 1, "POST", "/v1/chat/completions", "openai.chat", "m", stream=True, dice_key="call#1"
)


def rule(rule_id: str = "cut", *, do: dict[str, Any] | None = None, **values: Any) -> Rule:
    """A rule at the listener primary."""
    fault = do or {"type": "stream.truncate"}
    return Rule.model_validate({"id": rule_id, "listeners": ["primary"], "do": fault, **values})


def plan(*rules: Rule, lease_s: float = FOREVER, seed: int = 1) -> Plan:
    """A plan with these rules, applied at 0 s by the owner "run"."""
    made = Plan(LocalCounters())
    made.apply(rules, "run", lease_s, Dice(seed), 0.0)
    return made


def told(changes: list[Change]) -> list[tuple[str, str, float, str]]:
    """Changes without their rules."""
    return [(change.rule.id, change.edge, change.at, change.why) for change in changes]


def reasons(made: Plan, count: int, **values: Any) -> list[str]:
    """The decisions of a plan with one rule about ``count`` exchanges."""
    return [
        made.decide(replace(EXCHANGE, dice_key=f"call#{number}", **values), 1.0)[0].reason for number in range(count)
    ]


class TestLife:
    """When rules begin and end."""

    def test_a_lease_ends_a_rule_that_nobody_renews(self) -> None:
        """Whatever becomes of its owner."""
        made = plan(rule(), lease_s=5.0)

        assert made.next_at() == 5.0
        assert made.advance(4.9) == []
        assert told(made.advance(5.0)) == [("cut", "healed", 5.0, "lease")]
        assert (made.active, made.next_at()) == ((), None)

    def test_renewing_prolongs_the_leases_of_one_owner(self) -> None:
        """And tells how many it still holds."""
        made = plan(rule(), lease_s=5.0)
        made.apply([rule("other")], "somebody", 5.0, Dice(1), 0.0)

        assert made.renew("run", 5.0, 3.0) == 1
        assert made.renew("nobody", 5.0, 3.0) == 0
        assert told(made.advance(6.0)) == [("other", "healed", 5.0, "lease")]

    def test_lasts_ends_a_rule_that_is_renewed(self) -> None:
        """At its planned time, also when advance comes late."""
        made = plan(rule(lasts="3s"), lease_s=5.0)
        made.renew("run", 100.0, 1.0)

        assert told(made.advance(10.0)) == [("cut", "healed", 3.0, "lasts")]

    def test_a_rule_that_is_over_decides_nothing(self) -> None:
        """Even before advance was called."""
        made = plan(rule(lasts="3s"))

        assert len(made.decide(EXCHANGE, 2.9)) == 1
        assert made.decide(EXCHANGE, 3.0) == []

    def test_flapping_starts_down_and_alternates(self) -> None:
        """Down: the fault acts."""
        made = plan(rule(flap={"down": "2s", "up": "3s"}, lasts="8s"))

        changes = made.advance(100.0)

        assert told(changes) == [
            ("cut", "flap_up", 2.0, ""),
            ("cut", "flap_down", 5.0, ""),
            ("cut", "flap_up", 7.0, ""),
            ("cut", "healed", 8.0, "lasts"),
        ]
        assert [change.acts for change in changes] == [False, True, False, False]

    def test_a_rule_that_flapped_up_decides_nothing_but_stays_loaded(self) -> None:
        """Its listener keeps its answers uncompressed for when it comes down again."""
        made = plan(rule(flap={"down": "2s", "up": "3s"}))
        made.advance(2.5)

        assert made.decide(EXCHANGE, 2.5) == []
        assert made.edits_frames("primary")

    def test_changes_come_in_the_order_of_time(self) -> None:
        """Over all rules."""
        made = plan(rule("late", lasts="4s"), rule("soon", lasts="1s"), rule("flaps", flap={"down": "2s", "up": "9s"}))

        assert [change.at for change in made.advance(5.0)] == [1.0, 2.0, 4.0]


class TestApply:
    """What an owner's new set of rules changes."""

    def test_new_rules_begin_missing_ones_end_and_equal_ones_go_on(self) -> None:
        """So an owner may send the whole set again and again."""
        made = plan(rule("same"), rule("gone"), rule("other", share="20%"))

        changes = made.apply([rule("same"), rule("other", share="30%"), rule("new")], "run", 5.0, Dice(1), 1.0)

        assert told(changes) == [
            ("gone", "healed", 1.0, "cleared"),
            ("other", "healed", 1.0, "replaced"),
            ("other", "applied", 1.0, ""),
            ("new", "applied", 1.0, ""),
        ]
        assert [active.since for active in made.active] == [0.0, 1.0, 1.0]

    def test_an_id_belongs_to_one_owner(self) -> None:
        """And nothing changes when another one wants it."""
        made = plan(rule())

        with pytest.raises(Conflict, match="'cut' belongs to 'run'"):
            made.apply([rule("new"), rule()], "page", 5.0, Dice(1), 1.0)

        assert [active.rule.id for active in made.active] == ["cut"]

    def test_an_id_belongs_to_one_rule(self) -> None:
        """Two rules of one name would be one rule less, silently."""
        made = plan()

        with pytest.raises(Conflict, match="'cut' is given twice"):
            made.apply([rule(), rule(share="20%")], "run", 5.0, Dice(1), 1.0)

        assert made.active == ()

    def test_clear_ends_the_rules_of_one_owner_or_of_all(self) -> None:
        """The stop button is the latter."""
        made = plan(rule())
        made.apply([rule("other")], "page", 5.0, Dice(1), 0.0)

        assert told(made.clear("page", 1.0)) == [("other", "healed", 1.0, "cleared")]
        assert told(made.clear(None, 2.0)) == [("cut", "healed", 2.0, "cleared")]

    def test_a_spent_rule_stays_spent_while_its_owner_renews(self) -> None:
        """However long after its end the next set comes."""
        made = plan(rule(lasts="1s"), lease_s=5.0)
        made.advance(1.0)
        for at in (4.0, 8.0):
            made.renew("run", 5.0, at)

        assert made.apply([rule(lasts="1s")], "run", 5.0, Dice(1), 12.0) == []


class TestDecide:
    """For whom."""

    def test_a_matching_exchange_gets_a_stage(self) -> None:
        """At the rule's listeners only."""
        made = plan(rule())
        [decision] = made.decide(EXCHANGE, 1.0)

        assert (decision.rule_id, decision.reason, decision.stage is not None) == ("cut", "chosen", True)
        assert made.decide(replace(EXCHANGE, listener="secondary"), 1.0) == []

    def test_refusals_say_why(self) -> None:
        """The match first, then what the fault itself lacks."""
        made = plan(rule(match={"model": "claude-*"}))

        assert made.decide(EXCHANGE, 1.0) == [Decision("cut", "match.model: m is not claude-*")]
        assert reasons(plan(rule()), 1, stream=False) == ["the request does not ask for a stream"]

    def test_only_exchanges_that_could_be_hit_are_counted(self) -> None:
        """``nth: 2`` means the second of those."""
        made = plan(rule(match={"nth": 2}))
        reasons(made, 3, stream=False)

        assert reasons(made, 3) == [
            "match.nth: number 1 is not 2",
            "chosen",
            "match.nth: number 3 is not 2",
        ]

    def test_share_is_chosen_by_dice(self) -> None:
        """About as many as asked for; the same seed chooses the same, another seed others."""
        chosen = [reasons(plan(rule(share="20%"), seed=seed), 500) for seed in (1, 1, 2)]
        hits = [[reason == "chosen" for reason in some] for some in chosen]

        assert hits[0] == hits[1] != hits[2]
        assert 70 <= sum(hits[0]) <= 130
        assert "share: drew 0." in next(reason for reason in chosen[0] if reason != "chosen")

    def test_no_share_chooses_nobody_and_all_of_it_everybody(self) -> None:
        """Exactly."""
        assert "chosen" not in reasons(plan(rule(share="0%")), 100)
        assert set(reasons(plan(rule(share="100%")), 100)) == {"chosen"}

    def test_another_rule_never_changes_whom_the_first_one_chooses(self) -> None:
        """Nor do other exchanges in between."""
        alone = plan(rule(share="50%"))
        beside = plan(rule("new", share="50%"), rule(share="50%"))

        def chosen(made: Plan, key: str) -> str:
            decisions = made.decide(replace(EXCHANGE, dice_key=key), 1.0)
            return next(decision.reason for decision in decisions if decision.rule_id == "cut")

        keys = [f"call#{number}" for number in range(50)]

        assert [chosen(alone, key) for key in keys] == [chosen(beside, key) for key in reversed(keys)][::-1]

    def test_max_hits_counts_those_that_may_still_be_hit(self) -> None:
        """A miss gives its place to the next."""
        made = plan(rule(max_hits=2))
        first = [made.decide(EXCHANGE, 1.0)[0] for _ in range(3)]
        made.missed(first[0])

        assert [decision.reason for decision in first] == ["chosen", "chosen", "max_hits: 2 reached"]
        assert reasons(made, 2) == ["chosen", "max_hits: 2 reached"]

    def test_a_late_miss_of_a_replaced_rule_gives_no_place_away(self) -> None:
        """The new rule counts its own."""
        made = plan(rule(max_hits=2))
        late = made.decide(EXCHANGE, 1.0)[0]
        made.apply([rule(max_hits=1)], "run", FOREVER, Dice(1), 1.0)
        first = reasons(made, 1)
        made.missed(late)

        assert (first, reasons(made, 1)) == (["chosen"], ["max_hits: 1 reached"])

    def test_a_late_miss_of_a_rule_that_ended_gives_no_place_away(self) -> None:
        """Nor to one that is applied again later."""
        made = plan(rule(max_hits=1))
        late = made.decide(EXCHANGE, 1.0)[0]
        made.clear("run", 1.0)
        made.missed(late)
        made.apply([rule(max_hits=1)], "run", FOREVER, Dice(1), 2.0)

        assert reasons(made, 2) == ["chosen", "max_hits: 1 reached"]

    def test_faults_that_answer_come_first(self) -> None:
        """So that the others see the answer, whatever their order in the plan."""
        made = plan(rule("late", do={"type": "time.stall"}), rule("answer", do={"type": "http.status"}))

        assert [decision.rule_id for decision in made.decide(EXCHANGE, 1.0)] == ["answer", "late"]

    def test_a_gate_is_the_first_rule_that_closes_the_listener(self) -> None:
        """While it acts."""
        down = {"down": "2s", "up": "3s"}
        made = plan(rule(), rule("part", do={"type": "partition", "mode": "reset"}, flap=down))

        assert made.gate("primary") == ("part", Gate.RESET)
        assert made.gate("secondary") is None
        made.advance(2.0)
        assert made.gate("primary") is None

    def test_frames_are_edited_where_a_rule_needs_them(self) -> None:
        """At its listeners only, and not for faults that count bytes."""
        assert plan(rule()).edits_frames("primary")
        assert not plan(rule()).edits_frames("secondary")
        assert not plan(rule(do={"type": "stream.fin", "where": "byte:9"})).edits_frames("primary")


class TestOpen:
    """Exchanges that are open when a rule begins."""

    OPEN = replace(EXCHANGE, seen=Seen(events=3, tokens=2, head=Head(0.0, 200, streamed=True)))

    def test_only_rules_that_reach_them_decide(self) -> None:
        """``streams: all``, or a partition."""
        made = plan(
            rule("new"), rule("all", streams="all"), rule("part", do={"type": "partition", "live_streams": "cut"})
        )
        decided = {rule_id: made.decide_open(rule_id, self.OPEN, 1.0) for rule_id in ("new", "all", "part", "unknown")}

        assert {rule_id: decision and decision.reason for rule_id, decision in decided.items()} == {
            "new": None,
            "all": "chosen",
            "part": "chosen",
            "unknown": None,
        }

    def test_not_at_other_listeners(self) -> None:
        """They are another link's."""
        made = plan(rule(streams="all"))

        assert made.decide_open("cut", replace(self.OPEN, listener="secondary"), 1.0) is None

    def test_the_stage_knows_that_the_exchange_is_open(self) -> None:
        """Also before its head has come, when nothing else tells."""
        made = plan(rule("part", do={"type": "partition", "live_streams": "cut"}))
        open_one, new_one = made.decide_open("part", EXCHANGE, 1.0), made.decide(EXCHANGE, 1.0)[0]
        assert open_one is not None
        assert open_one.stage is not None
        assert new_one.stage is not None

        assert isinstance(next(iter(open_one.stage.feed(Tick(1.0)))), Hit)
        assert list(new_one.stage.feed(Tick(1.0))) == []

    def test_they_count_like_new_ones(self) -> None:
        """For shares and limits."""
        made = plan(rule(streams="all", max_hits=1))
        reasons(made, 1)

        decision = made.decide_open("cut", self.OPEN, 1.0)

        assert decision == Decision("cut", "max_hits: 1 reached")


class TestRates:
    """http.rate_limit with a rate per minute."""

    def test_requests_within_the_rate_pass_and_others_are_told_how_long_to_wait(self) -> None:
        """Two at once, then one each half minute."""
        made = plan(rule("limit", do={"type": "http.rate_limit", "requests_per_minute": 2}))
        decisions = [made.decide(EXCHANGE, at)[0] for at in (0.0, 0.0, 0.0, 30.0)]

        assert [decision.reason for decision in decisions] == [
            "within its quota",
            "within its quota",
            "chosen",
            "within its quota",
        ]
        assert decisions[2].stage is not None
        answer = list(decisions[2].stage.feed(Ask(0.0)))
        head = next(event for event in answer if isinstance(event, Head))
        assert (head.status, header(head.headers, "retry-after")) == (429, "30")
        assert answer[0] == Hit(0.0, "answered 429, beyond its requests per minute")

    def test_tokens_are_charged_only_to_requests_that_pass(self) -> None:
        """A request that its own quota refuses costs no tokens."""
        fault = {"type": "http.rate_limit", "requests_per_minute": 1, "tokens_per_minute": 100}
        made = plan(rule("limit", do=fault))
        large = replace(EXCHANGE, prompt_tokens=60)
        refused = [made.decide(large, at)[0].stage is not None for at in (0.0, 1.0, 60.0)]

        assert refused == [False, True, False]

    def test_without_a_rate_every_request_is_refused(self) -> None:
        """The fault has no bucket then."""
        assert reasons(plan(rule("limit", do={"type": "http.rate_limit"})), 2) == ["chosen", "chosen"]

    def test_a_bucket_fills_up_to_its_size(self) -> None:
        """And no further, however long nobody comes."""
        bucket = TokenBucket(60)

        assert bucket.take(60, 0.0) == 0.0
        assert bucket.take(1, 0.5) == pytest.approx(0.5)
        assert bucket.take(60, 1000.0) == 0.0
        assert bucket.take(60, 1000.0) == pytest.approx(60.0)

    def test_a_new_rule_has_a_full_bucket(self) -> None:
        """Counters are forgotten with their rule."""
        limit = {"type": "http.rate_limit", "requests_per_minute": 1}
        made = plan(rule("limit", do=limit))
        made.decide(EXCHANGE, 0.0)
        made.apply([], "run", 5.0, Dice(1), 1.0)
        made.apply([rule("limit", do=limit)], "run", 5.0, Dice(1), 1.0)

        assert made.decide(EXCHANGE, 1.0)[0].reason == "within its quota"
