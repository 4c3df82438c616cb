"""Whose turn it is in a weighted pool."""

from __future__ import annotations

from collections import Counter

import pytest
from pydantic import ValidationError

from chaosproxy.experiment.lab_settings import GatewaySettings
from chaosproxy.lab.gateway.health import Admission, Health
from chaosproxy.lab.gateway.pool import Weighted
from chaosproxy.lab.gateway.upstream import Upstream

URLS = {"a": "http://a", "b": "http://b", "c": "http://c"}


def upstreams() -> list[Upstream]:
    """Three healthy ones."""
    return [Upstream(name, url, Health(unhealthy_after=0, cooldown_s=1, now=0)) for name, url in URLS.items()]


def names(order: object) -> str:
    """As one word."""
    return "".join(upstream.name for upstream in order)  # type: ignore[attr-defined]


def test_the_shares_are_the_weights_in_any_few_calls() -> None:
    """No chance is in it, and no upstream gets all of its calls in a row."""
    pool, group = Weighted({"a": 3, "b": 1, "c": 0}), upstreams()

    firsts = [names(pool.order(group))[0] for _ in range(8)]

    assert Counter(firsts) == {"a": 6, "b": 2}
    assert "".join(firsts) == "aabaaaba"


def test_the_others_follow_by_weight_and_the_last_resort_is_last() -> None:
    """So that a failure leads to the strongest one that is left."""
    assert names(Weighted({"a": 1, "b": 0, "c": 3}).order(upstreams())) == "cab"


def test_an_unhealthy_one_keeps_its_turn() -> None:
    """Else it would never be tried again; who asks skips it, and the next one by weight gets the call."""
    pool, group = Weighted({"a": 3, "b": 1, "c": 0}), upstreams()
    group[0].health.failed(Admission.NORMAL, 0)

    assert [names(pool.order(group)) for _ in range(4)] == ["abc", "abc", "bac", "abc"]


@pytest.mark.parametrize("written", ["a=3,b=1,c=0", {"a": "3", "b": 1, "c": 0}, " a=3, b=1,c=0"])
def test_a_pool_is_a_mapping_or_a_line(written: object) -> None:
    """The line is what the command line has."""
    assert GatewaySettings.model_validate({"upstreams": URLS, "pool": written}).pool == {"a": 3, "b": 1, "c": 0}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pool": "a=3,b=1"}, "a weight for each of a, b, c"),
        ({"pool": "a=0,b=0,c=0"}, "one weight at least"),
        ({"pool": "a=3,b=1,c=x"}, "valid integer"),
        ({"pool": "a=3,b=1,c=0", "profile": "naive"}, "knows no weights"),
        ({"cache": "http://127.0.0.1"}, "pattern"),
    ],
)
def test_mistakes(settings: dict[str, object], words: str) -> None:
    """Each in words."""
    with pytest.raises(ValidationError, match=words):
        GatewaySettings.model_validate({"upstreams": URLS, **settings})
