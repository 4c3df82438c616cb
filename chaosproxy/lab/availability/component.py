"""What every component tells about itself: how many operations, how they ended, how fast they were. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

RECENT_S = 5.0
"""Rates and means are about so many seconds."""
RECENT_MAX = 20_000
"""So many operations are remembered at most."""


class Component:
    """Counts operations. It is ``affected`` from a failed operation to the next that succeeds."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.name = name
        self.affected = False
        self.times_affected = 0
        self._clock = clock
        self._began_at = clock()
        self._operations = 0
        self._failures = 0
        self._in_flight = 0
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT_MAX)

    @contextmanager
    def operation(self) -> Iterator[None]:
        """One operation, which has failed when an exception leaves it; one that is cancelled says nothing."""
        began = self._clock()
        self._in_flight += 1
        try:
            yield
        except Exception:
            self._ended(began, failed=True)
            raise
        else:
            self._ended(began, failed=False)
        finally:
            self._in_flight -= 1

    def _ended(self, began: float, *, failed: bool) -> None:
        now = self._clock()
        self._operations += 1
        self._failures += failed
        self.times_affected += failed and not self.affected
        self.affected = failed
        self._recent.append((now, now - began))

    def status(self) -> dict[str, Any]:
        """As its page says it."""
        now = self._clock()
        recent = [took_s for at, took_s in self._recent if now - at <= RECENT_S]
        span_s = max(min(RECENT_S, now - self._began_at), 0.001)
        return {
            "component": self.name,
            "state": "affected" if self.affected else "ok",
            "operations": self._operations,
            "failures": self._failures,
            "times_affected": self.times_affected,
            "in_flight": self._in_flight,
            "operations_per_second": round(len(recent) / span_s, 2),
            "mean_ms": round(sum(recent) / len(recent) * 1000, 2) if recent else None,
        }
