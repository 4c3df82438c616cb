"""The load's own lag."""

from __future__ import annotations

import asyncio

import pytest

from chaosproxy.journal.records import AnyRecord, Lag
from chaosproxy.lab.load.lag import LagMeter, percentile_99


@pytest.mark.parametrize(("samples", "value"), [([1.0], 1.0), (list(range(1, 101)), 99), (list(range(1, 201)), 198)])
def test_percentile_is_the_nearest_rank(samples: list[float], value: float) -> None:
    """The definition that the measures use too."""
    assert percentile_99(samples) == value


def test_report_starts_afresh() -> None:
    """Each report covers what came since the last; an early call is not late; silence reports nothing."""
    records: list[AnyRecord] = []
    meter = LagMeter(records.append, lambda: 5.0)
    meter.sent(0.25)
    meter.sent(-0.1)
    meter.report()
    meter.report()

    assert records == [Lag(process="load", what="send", at=5.0, samples=2, p99_s=0.25, max_s=0.25)]


async def test_blocked_loop_is_noticed() -> None:
    """A loop that wakes up late says so."""
    records: list[AnyRecord] = []
    now = [0.0]
    meter = LagMeter(records.append, lambda: now[0])
    running = asyncio.create_task(meter.run())
    while not records:
        now[0] += 0.5
        await asyncio.sleep(0.005)
    running.cancel()

    lag = records[0]
    assert isinstance(lag, Lag)
    assert (lag.what, lag.max_s > 0.4) == ("loop", True)
