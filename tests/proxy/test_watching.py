"""Who is told about of many open exchanges."""

from __future__ import annotations

from chaosproxy.events import Exchange
from chaosproxy.proxy.account import Account, Side
from chaosproxy.proxy.tally import Tally
from chaosproxy.proxy.watching import look_at


def _account(name: str, began_at: float, *pieces_at: float, asked: bool = True) -> Account:
    account = Account(Exchange(id=name, listener="a", ordinal=1, method="POST", path="/"), began_at)
    account.asked_at = 0.0 if asked else None
    account.sent = Side(Tally())
    for at in pieces_at:
        account.sent.tally.collect(b"x", at)
    return account


def test_those_that_were_silent_for_longest() -> None:
    """Since their newest piece, or since they began when nothing came; the others are only counted."""
    accounts = [
        _account("talks", 0.0, 1.0, 9.5),
        _account("waits", 4.0, asked=False),
        _account("stalls", 0.0, 1.0, 1.5),
        _account("new", 9.0),
    ]

    seen = look_at(accounts, 10.0, 2)

    assert [(each.id, each.age_s, each.silent_s, each.gap_s) for each in seen.silent] == [
        ("stalls", 10.0, 8.5, 0.5),
        ("waits", 6.0, 6.0, None),
    ]
    assert (seen.count, seen.asked["a"]) == (4, 3)
