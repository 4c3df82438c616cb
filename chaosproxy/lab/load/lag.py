"""How late the load itself is: what it cannot keep up with must not be blamed on the system under test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil
from typing import Literal

from chaosproxy.journal.records import AnyRecord, Lag

REPORT_EACH_S = 1.0
LOOP_SAMPLE_EACH_S = 0.02


class LagMeter:
    """Records, once a second, how late calls were sent and how late the loop woke up."""

    def __init__(self, record: Callable[[AnyRecord], None], clock: Callable[[], float]) -> None:
        self._record = record
        self._clock = clock
        self._sends: list[float] = []
        self._loops: list[float] = []

    def sent(self, late_s: float) -> None:
        """A call was handed to its connection so long after its intended time."""
        self._sends.append(max(0.0, late_s))

    async def run(self) -> None:
        """Sample the loop and report, until cancelled."""
        report_at = self._clock() + REPORT_EACH_S
        while True:
            due = self._clock() + LOOP_SAMPLE_EACH_S
            await asyncio.sleep(LOOP_SAMPLE_EACH_S)
            self._loops.append(max(0.0, self._clock() - due))
            if self._clock() >= report_at:
                self.report()
                report_at = self._clock() + REPORT_EACH_S

    def report(self) -> None:
        """Write what was measured since the last report."""
        self._write("send", self._sends)
        self._write("loop", self._loops)
        self._sends, self._loops = [], []

    def _write(self, what: Literal["loop", "send"], samples: list[float]) -> None:
        if samples:
            p99_s = percentile_99(samples)
            at = self._clock()
            self._record(Lag(process="load", what=what, at=at, samples=len(samples), p99_s=p99_s, max_s=max(samples)))


def percentile_99(samples: list[float]) -> float:
    """The nearest-rank 99th percentile."""
    return sorted(samples)[ceil(len(samples) * 0.99) - 1]
