"""How late our own process is: what its slowness may have added to every time in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil
from typing import Literal

from chaosproxy.journal.traffic import Lag

SAMPLE_S = 0.05
REPORT_S = 1.0

What = Literal["loop", "send"]


class LagMeter:
    """Sleeps again and again and measures the oversleep; records once a second as long as it is ``needed``.

    What else is late in this process is told to ``late``. Needs a running loop.
    """

    def __init__(
        self,
        process: str,
        record: Callable[[Lag], None],
        clock: Callable[[], float],
        needed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._process = process
        self._record = record
        self._clock = clock
        self._needed = needed
        self._samples_s: dict[What, list[float]] = {"send": [], "loop": []}
        self._due = 0.0
        self._reported_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; does nothing while it runs."""
        if self._timer is None:
            self._reported_at = self._clock()
            self._sleep()

    def stop(self) -> None:
        """Record what is left and end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._report()

    def late(self, what: What, late_s: float) -> None:
        """Something was done so long after its time; early counts as on time."""
        self._samples_s[what].append(max(0.0, late_s))

    def _sleep(self) -> None:
        self._due = self._clock() + SAMPLE_S
        self._timer = asyncio.get_running_loop().call_later(SAMPLE_S, self._wake)

    def _wake(self) -> None:
        self.late("loop", self._clock() - self._due)
        if self._clock() - self._reported_at < REPORT_S:
            self._sleep()
        elif self._needed():
            self._report()
            self._sleep()
        else:
            self.stop()

    def _report(self) -> None:
        self._reported_at = at = self._clock()
        for what, samples in self._samples_s.items():
            if samples:
                p99_s, max_s = round(percentile_99(samples), 6), round(max(samples), 6)
                count = len(samples)
                samples.clear()
                self._record(Lag(process=self._process, what=what, at=at, samples=count, p99_s=p99_s, max_s=max_s))


def percentile_99(samples: list[float]) -> float:
    """The nearest-rank 99th percentile."""
    return sorted(samples)[ceil(len(samples) * 0.99) - 1]
