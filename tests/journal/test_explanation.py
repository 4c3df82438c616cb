"""Why a fault did or did not hit an exchange."""

from __future__ import annotations

import pytest

from chaosproxy.journal.explanation import explain, find_exchanges
from tests.steady_state.drills import Drill


@pytest.fixture
def drill() -> Drill:
    """A fault on the primary from 10 s to 20 s, and exchanges around it."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.exchange("early", "primary", 8)
    drill.exchange("elsewhere", "secondary", 12)
    drill.exchange("hit", "primary", 12, hit="cut")
    drill.exchange("spared", "primary", 13, missed={"cut": "share: drew 0.730, chosen below 0.2"})
    drill.exchange("late", "primary", 25)
    return drill


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("early", "cut: not hit: the fault began 2.00 s later"),
        ("elsewhere", "cut: not hit: it acts on primary"),
        ("hit", "cut: hit, 0.000 s after the exchange began: "),
        ("spared", "cut: not hit: share: drew 0.730, chosen below 0.2"),
        ("late", "cut: not hit: the fault had healed 5.00 s before"),
    ],
)
def test_every_exchange_has_its_reason(drill: Drill, call: str, reason: str) -> None:
    """Too early, elsewhere, hit, not chosen, too late: each in words."""
    records = drill.journal().records
    (exchange,) = find_exchanges(records, call)

    lines = explain(records, exchange)

    assert lines[1].strip() == reason.strip()


def test_an_exchange_can_be_named_in_four_ways(drill: Drill) -> None:
    """By id, by call, by number, and by number at its listener."""
    records = drill.journal().records
    (by_call,) = find_exchanges(records, "hit")

    assert [by_call] == find_exchanges(records, by_call.id)
    assert by_call in find_exchanges(records, "#1")
    assert by_call in find_exchanges(records, "primary#1")
    assert by_call not in find_exchanges(records, "secondary#1")


def test_what_is_not_there_is_not_found(drill: Drill) -> None:
    """The command says so; nothing is guessed."""
    assert find_exchanges(drill.journal().records, "nobody") == []
