"""How late a process of ours is."""

from __future__ import annotations

import asyncio

import pytest

from chaosproxy.journal.traffic import Lag
from chaosproxy.proxy.lag import LagMeter, percentile_99


@pytest.mark.parametrize(("samples", "value"), [([1.0], 1.0), (list(range(1, 101)), 99), (list(range(1, 201)), 198)])
def test_percentile_is_the_nearest_rank(samples: list[float], value: float) -> None:
    """The definition that the measures use too."""
    assert percentile_99(samples) == value


async def test_what_is_late_is_recorded_once() -> None:
    """Early is not late, and silence records nothing."""
    records: list[Lag] = []
    meter = LagMeter("load", records.append, lambda: 5.0)
    meter.start()
    meter.late("send", 0.25)
    meter.late("send", -0.1)
    meter.stop()
    meter.stop()

    assert records == [Lag(process="load", what="send", at=5.0, samples=2, p99_s=0.25, max_s=0.25)]


async def test_a_blocked_loop_is_noticed() -> None:
    """A loop that wakes up late says so."""
    records: list[Lag] = []
    now = [0.0]
    meter = LagMeter("load", records.append, lambda: now[0])
    meter.start()
    while not records:
        now[0] += 0.5
        await asyncio.sleep(0.005)
    meter.stop()

    assert (records[0].what, records[0].max_s > 0.4) == ("loop", True)


async def test_it_ends_when_nobody_needs_it() -> None:
    """An idle proxy does not wake up for nothing; the next start goes on."""
    records: list[Lag] = []
    now = [0.0]
    needed = [False]
    meter = LagMeter("proxy", records.append, lambda: now[0], lambda: needed[0])
    meter.start()
    while not records:
        now[0] += 0.5
        await asyncio.sleep(0.005)
    meter.late("loop", 1.0)
    meter.stop()
    assert len(records) == 1

    meter.start()
    meter.stop()
    assert len(records) == 2
