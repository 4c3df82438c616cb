"""Rules: for whom a fault acts, and what a rule refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from chaosproxy.dice import Dice
from chaosproxy.events import Exchange
from chaosproxy.plan.counters import LocalCounters
from chaosproxy.plan.decision import SPARED, Decider
from chaosproxy.plan.rule import Match, Rule, free_id

EXCHANGE = Exchange(
    "x-1",
    "primary",
    1,
    "POST",
    "/v1/chat/completions",
    "openai.chat",
    "gpt-4o",
    stream=True,
    headers=(("X-Tenant", "acme"),),
)


def rule(**values: Any) -> Rule:
    """A rule from values as they stand in a file."""
    return Rule.model_validate({"id": "cut", "listeners": ["primary"], "do": {"type": "stream.truncate"}, **values})


@pytest.mark.parametrize(
    ("field", "fits", "fails", "reason"),
    [
        ("path", "/v1/*", "/v2/*", "match.path: /v1/chat/completions is not /v2/*"),
        ("method", "POST", "GET", "match.method: POST is not GET"),
        ("model", "gpt-*", "claude-*", "match.model: gpt-4o is not claude-*"),
        ("dialect", "openai.*", "raw", "match.dialect: openai.chat is not raw"),
        ("stream", True, False, "match.stream: the request is streamed"),
        ("header", {"x-tenant": "a*"}, {"x-tenant": "b*"}, "match.header.x-tenant: the value is not b*"),
        ("header", {"X-TENANT": "acme"}, {"x-other": "*"}, "match.header.x-other: absent is not *"),
    ],
)
def test_each_field_matches_or_says_why_not(field: str, fits: Any, fails: Any, reason: str) -> None:
    """A header's value is never repeated: it may be a secret."""
    assert Match.model_validate({field: fits}).why_not(EXCHANGE) is None
    assert Match.model_validate({field: fails}).why_not(EXCHANGE) == reason


def _asked_by(key: str, name: str = "Authorization") -> Exchange:
    return replace(EXCHANGE, headers=((name, key),))


def test_a_share_of_the_callers_is_always_the_same() -> None:
    """By what they are, not by chance: the share is about as large as said, and a larger one contains a smaller one."""
    callers = [f"Bearer sk-{number}" for number in range(2000)]

    tenth = {key for key in callers if Match(key_share=0.1).why_not(_asked_by(key)) is None}
    fifth = {key for key in callers if Match(key_share=0.2).why_not(_asked_by(key)) is None}

    assert tenth < fifth
    assert 150 < len(tenth) < 250
    assert {Match(key_share=1.0).why_not(_asked_by(key)) for key in callers} == {None}
    assert {Match(key_share=0.0).why_not(_asked_by(key)) for key in callers} == {"match.key_share: another caller"}


@pytest.mark.parametrize("name", ["authorization", "X-Api-Key", "api-key", "x-goog-api-key"])
def test_callers_are_known_by_the_keys_of_all_providers(name: str) -> None:
    """Wherever their clients put them."""
    assert Match(key_share=1.0).why_not(_asked_by("k", name)) is None


def test_callers_may_be_told_apart_by_another_field() -> None:
    """Behind a gateway the API key is the gateway's."""
    match = Match(key_share=1.0, key_header="X-User-Id")

    assert match.why_not(_asked_by("u1", "x-user-id")) is None
    assert match.why_not(_asked_by("k")) == "match.key_share: the request has no x-user-id"


def test_who_has_no_key_is_nobody() -> None:
    """And the reason says where one was looked for."""
    reason = "match.key_share: the request has no authorization or x-api-key or api-key or x-goog-api-key"
    assert Match(key_share=1.0).why_not(EXCHANGE) == reason


def test_what_is_unknown_never_matches() -> None:
    """And the reason tells a body that is too long from one that says nothing."""
    unknown = replace(EXCHANGE, model=None, stream=None)
    unread = replace(unknown, body_read=False)

    assert Match(model="*").why_not(unknown) == "match.model: unknown is not *"
    assert Match(model="*").why_not(unread) == "match.model: not applicable (the body exceeds the read limit) is not *"
    assert Match(stream=True).why_not(unknown) == "match.stream: unknown is not true"
    assert Match(stream=True).why_not(replace(EXCHANGE, stream=False)) == "match.stream: the request is not streamed"


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ({"first": 2}, [1, 2]),
        ({"skip": 4}, [5, 6, 7]),
        ({"nth": 3}, [3]),
        ({"each": 3}, [3, 6]),
        ({"skip": 1, "each": 2}, [3, 5, 7]),
        ({"skip": 2, "first": 2}, [3, 4]),
        ({}, [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_counting_fields_choose_by_number(values: dict[str, int], numbers: list[int]) -> None:
    """Of seven exchanges that match the rest; ``skip`` shifts where the others begin to count."""
    match = Match.model_validate(values)

    assert [number for number in range(1, 8) if match.counts(number) is None] == numbers


@pytest.mark.parametrize(
    ("values", "number", "reason"),
    [
        ({"first": 2}, 3, "match.first: number 3, only the first 2 are meant"),
        ({"skip": 2}, 1, "match.skip: one of the first 2"),
        ({"nth": 3}, 4, "match.nth: number 4 is not 3"),
        ({"each": 3}, 4, "match.each: number 4 is not a multiple of 3"),
    ],
)
def test_a_number_that_is_not_meant_says_why(values: dict[str, int], number: int, reason: str) -> None:
    """For ``chaosproxy explain``."""
    assert Match.model_validate(values).counts(number) == reason


@pytest.mark.parametrize("values", [{"share": "20%"}, {"match": {"model": "m"}}, {"max_hits": 3}])
@pytest.mark.parametrize("do", [{"type": "conn.refuse"}, {"type": "partition", "mode": "refuse"}])
def test_a_listener_fault_knows_no_request(values: dict[str, Any], do: dict[str, str]) -> None:
    """A connection is refused before anything can be matched, chosen or counted."""
    with pytest.raises(ValidationError, match="before any request is known"):
        rule(do=do, **values)


def test_the_same_faults_behind_an_open_port_may_choose() -> None:
    """They wait for the request."""
    assert rule(do={"type": "conn.refuse", "stage": "after_request"}, share="20%").share == 0.2
    assert rule(do={"type": "partition"}, match={"model": "m"}).match.reads_request


@pytest.mark.parametrize("bad", ["", "1cut", "a b", "x" * 65, "a/b", "a:b"])
def test_an_id_is_a_word(bad: str) -> None:
    """It stands in expressions, windows and journals."""
    with pytest.raises(ValidationError):
        rule(id=bad)


def test_a_free_id_is_the_name_of_the_fault() -> None:
    """Numbered when it is taken, so that the ids of a command line do not depend on anything else."""
    assert free_id("conn.refuse", ()) == "conn.refuse"
    assert free_id("conn.refuse", {"conn.refuse", "conn.refuse-2"}) == "conn.refuse-3"
    assert rule(id=free_id("conn.refuse", {"conn.refuse"})).id == "conn.refuse-2"


@pytest.mark.parametrize(
    ("values", "reaches"),
    [
        ({}, False),
        ({"streams": "all"}, True),
        ({"do": {"type": "partition"}}, True),
        ({"do": {"type": "partition", "live_streams": "keep"}}, False),
    ],
)
def test_a_rule_reaches_open_exchanges_if_it_or_its_fault_says_so(values: dict[str, Any], reaches: bool) -> None:
    """One mechanism for both."""
    assert rule(**values).reaches_open is reaches


def test_a_rule_survives_the_way_through_json() -> None:
    """The control API carries rules."""
    full = rule(
        share="20%",
        lasts="15s",
        flap={"down": "2s", "up": "3s"},
        max_hits=3,
        streams="all",
        match={"stream": "true", "each": 2},
    )

    assert Rule.model_validate_json(full.model_dump_json()) == full


class TestSpared:
    """Exchanges of the control cohort."""

    B = Match(header={"x-tenant": "a*"})

    def decided(self, **values: Any) -> tuple[str, bool]:
        """What a rule that spares them does with one."""
        decider = Decider(rule(spare=self.B, **values), Dice(1), 0.0, LocalCounters())
        decision = decider.decide(EXCHANGE, 1.0)
        return decision.reason, decision.stage is not None

    def test_a_rule_never_acts_on_them(self) -> None:
        """Whatever it matches, and it says why."""
        assert self.decided() == (SPARED, False)
        assert self.decided(match={"header": {"x-tenant": "acme"}}) == (SPARED, False)
        assert (
            Decider(rule(spare=self.B), Dice(1), 0.0, LocalCounters()).decide(replace(EXCHANGE, headers=()), 1.0).stage
        )

    def test_they_are_not_counted(self) -> None:
        """The first that is meant is the first of the others."""
        decider = Decider(rule(spare=self.B, match={"nth": 1}), Dice(1), 0.0, LocalCounters())
        decider.decide(EXCHANGE, 1.0)

        assert decider.decide(replace(EXCHANGE, headers=()), 1.0).stage is not None

    def test_what_knows_no_request_can_spare_nobody(self) -> None:
        """A refused connection might have been one of theirs."""
        with pytest.raises(ValidationError, match="it cannot spare the control cohort"):
            rule(spare=self.B, do={"type": "conn.refuse"})
