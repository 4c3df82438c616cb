"""The audit of a journal: what adds up passes, and each kind of miscount is found."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.json import encode

from benchmarks.soak.audit import Audit
from chaosproxy.control.outcomes import Fate

Record = dict[str, Any]


def edge(kind: str, at: float, *, fault: str = "cut", fault_type: str = "stream.truncate", why: str = "") -> Record:
    """The beginning or the end of a fault at the listener a."""
    return {
        "type": "fault",
        "fault": fault,
        "edge": kind,
        "at": at,
        "listeners": ["a"],
        "why": why,
        "fault_type": fault_type,
    }


def exchange(ordinal: int, began_at: float, **more: Any) -> Record:
    """One of a second at the listener a."""
    return {
        "type": "exchange",
        "id": f"a-t-{ordinal}",
        "listener": "a",
        "ordinal": ordinal,
        "began_at": began_at,
        "asked_at": began_at + 0.1,
        "sent": {"end_at": began_at + 1},
        **more,
    }


def hit(ordinal: int, fault: str = "cut") -> Record:
    """A fault took effect on an exchange."""
    return {"type": "hit", "fault": fault, "at": 1.0, "listener": "a", "exchange": f"a-t-{ordinal}"}


def connection(number: int) -> Record:
    """One of a second at the listener b."""
    return {"type": "connection", "listener": "b", "number": number, "began_at": 1.0, "end_at": 2.0}


SPARED = [{"fault": "cut", "reason": "share: drew 0.9, chosen below 0.5"}]
TOO_SHORT = [{"fault": "cut", "reason": "the exchange ended before it could act"}]
GOOD: list[Record] = [
    exchange(2, 0.0),
    edge("applied", 5.0),
    hit(1),
    exchange(1, 6.0, attached=["cut"]),
    exchange(4, 6.5, attached=["cut"], misses=TOO_SHORT),
    exchange(3, 6.0, misses=SPARED),
    connection(2),
    connection(1),
    edge("healed", 9.0, why="lease"),
    exchange(5, 9.5),
]
"""Numbers come in any order."""


def audited(records: list[Record]) -> Audit:
    """After the last record."""
    return Audit().read(map(encode, records)).close()


def test_a_journal_that_adds_up() -> None:
    """What it counts, and that it finds nothing."""
    audit = audited(GOOD)

    assert (audit.flaws, audit.told) == ({}, [])
    assert (audit.exchanges, audit.connections) == ({"a": 5}, {"b": 2})
    assert audit.opened == {"a": 5, "b": 2}
    assert audit.fates == {Fate.INJECTED: 1, Fate.PASSED: 1, Fate.NOT_APPLICABLE: 1}
    assert (audit.seen, audit.fault_types, audit.healed) == (3, {"stream.truncate": 1}, {"lease": 1})
    assert audit.longest_s == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("wrong", "flaw"),
    [
        pytest.param([exchange(7, 0.0)], "opened and not closed", id="a number is missing"),
        pytest.param([exchange(3, 0.0)], "closed twice", id="a number comes again"),
        pytest.param([connection(4)], "opened and not closed", id="the number of a connection is missing"),
        pytest.param([connection(1)], "closed twice", id="the number of a connection comes again"),
        pytest.param([hit(9)], "hit without an exchange", id="its exchange never ended"),
        pytest.param([edge("applied", 10.0)], "fault never healed", id="a fault goes on"),
        pytest.param(
            [edge("applied", 10.0), exchange(6, 11.0, attached=["cut"]), edge("healed", 20.0)],
            "injected without a hit",
            id="the record claims a hit",
        ),
        pytest.param(
            [edge("applied", 10.0), hit(6), exchange(6, 11.0, misses=SPARED), edge("healed", 20.0)],
            "passed with a hit",
            id="the record denies a hit",
        ),
        pytest.param(
            [edge("applied", 10.0), hit(6), exchange(6, 11.0), edge("healed", 20.0)],
            "hit and not attached",
            id="the record forgets a hit",
        ),
        pytest.param(
            [edge("applied", 10.0), exchange(6, 11.0), edge("healed", 20.0)],
            "not told of an active fault",
            id="a fault overlooked an exchange",
        ),
        pytest.param([exchange(6, 11.0, misses=SPARED)], "told of a fault that was not active", id="after its end"),
        pytest.param(
            [{"type": "trouble", "at": 1.0, "part": "faults", "detail": "a fault failed"}],
            "trouble",
            id="a bug of ours",
        ),
    ],
)
def test_what_does_not_add_up(wrong: list[Record], flaw: str) -> None:
    """Each by its own words."""
    assert flaw in audited([*GOOD, *wrong]).flaws


def test_what_began_or_ended_meanwhile_may_be_told_or_not() -> None:
    """Nobody knows on which side of an exchange's decision it came."""
    during = [edge("applied", 10.05), exchange(6, 10.0), exchange(7, 10.0, misses=SPARED), edge("healed", 20.0)]
    assert audited([*GOOD, *during]).flaws == {}


def test_a_toxic_meets_those_that_it_held_back() -> None:
    """An exchange begins when its request is there: it may begin because the toxic is over."""
    toxic = {"fault": "slow", "fault_type": "toxic.latency"}
    held = [edge("applied", 10.0, **toxic), edge("healed", 11.0, **toxic), hit(6, "slow")]
    assert audited([*GOOD, *held, exchange(6, 11.01, attached=["slow"])]).flaws == {}


def test_flaws_are_told_in_full_only_so_often() -> None:
    """A soak of hours must not end in a million lines."""
    audit = audited([*GOOD, *(exchange(3, 0.0) for _ in range(50))])
    assert (audit.flaws["closed twice"], len(audit.told)) == (50, 5)
