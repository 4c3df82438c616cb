"""How late the event loop is: what our own slowness may have added to every time in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chaosproxy.journal.records import Lag

SAMPLE_S = 0.05
REPORT_S = 1.0


class LagMeter:
    """Sleeps again and again and measures the oversleep; one record a second as long as it is ``needed``."""

    def __init__(
        self,
        process: str,
        record: Callable[[Lag], None],
        clock: Callable[[], float],
        needed: Callable[[], bool],
    ) -> None:
        self._process = process
        self._record = record
        self._clock = clock
        self._needed = needed
        self._samples_s: list[float] = []
        self._due = 0.0
        self._reported_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; does nothing while it runs."""
        if self._timer is None:
            self._reported_at = self._clock()
            self._sleep()

    def stop(self) -> None:
        """Report what is left and end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._report()

    def _sleep(self) -> None:
        self._due = self._clock() + SAMPLE_S
        self._timer = asyncio.get_running_loop().call_later(SAMPLE_S, self._wake)

    def _wake(self) -> None:
        self._samples_s.append(max(0.0, self._clock() - self._due))
        if self._clock() - self._reported_at < REPORT_S:
            self._sleep()
        elif self._needed():
            self._report()
            self._sleep()
        else:
            self.stop()

    def _report(self) -> None:
        samples, self._samples_s = sorted(self._samples_s), []
        self._reported_at = self._clock()
        if samples:
            p99 = samples[min(len(samples) - 1, int(len(samples) * 0.99))]
            self._record(
                Lag(
                    process=self._process,
                    what="loop",
                    at=self._reported_at,
                    samples=len(samples),
                    p99_s=round(p99, 6),
                    max_s=round(samples[-1], 6),
                )
            )
