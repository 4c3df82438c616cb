from __future__ import annotations

import asyncio

import pytest

from tests.twin.traffic_cases import CASES, Traffic
from tests.twin.traffic_kit import LagMeter, Seen, play
from tests.twin.twin_kit import Twins

pytestmark = pytest.mark.real

TOLERANCE_S = 0.025
"""How much later or earlier than there something may happen here,"""
TOLERANCE_SHARE = 0.1
"""or which part of the time that it takes there."""
LAG_MAX_S = TOLERANCE_S / 2
MISSES_MAX = 4
"""A single time may be bad luck, of either server."""
TRIES_MAX = 25
"""Times that this process was too late to measure do not count."""


def missed(theirs: Seen, mine: Seen) -> dict[str, tuple[float, float]]:
    """The times that are too different: there, here."""
    assert theirs.times.keys() == mine.times.keys()
    return {
        what: (there, mine.times[what])
        for what, there in theirs.times.items()
        if abs(mine.times[what] - there) > max(TOLERANCE_S, TOLERANCE_SHARE * there)
    }


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_traffic_is_the_same(case: Traffic, twins: Twins) -> None:
    """Bytes and ends are equal, times about equal; a listed deviation is there."""
    misses: list[object] = []
    for _ in range(TRIES_MAX):
        async with LagMeter() as lag:
            theirs, mine = await asyncio.gather(play(twins.real, case.play), play(twins.ours, case.play))
        bad = different(case, theirs, mine)
        if bad is None:
            return
        if lag.worst_s < LAG_MAX_S:
            misses.append(bad)
            assert case.deviation or theirs.facts == mine.facts
        assert len(misses) < MISSES_MAX, f"there and here: {misses}"
    pytest.fail(f"this machine is too busy to measure: late by {lag.worst_s:.3f} s in the last of {TRIES_MAX} tries")


def different(case: Traffic, theirs: Seen, mine: Seen) -> object | None:
    """What is not as it should be."""
    if case.deviation is not None:
        return f"the deviation {case.deviation} is none any more" if mine.facts == theirs.facts else None
    if mine.facts != theirs.facts:
        return theirs.facts, mine.facts
    return missed(theirs, mine) or None


def test_there_are_enough_cases() -> None:
    """At least 40 that are alike."""
    assert sum(case.deviation is None for case in CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)
