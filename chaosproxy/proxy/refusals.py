"""Requests that we refused ourselves, for the journal: nobody must take them for the upstream's failures."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from chaosproxy.journal.records import Trouble

REPORT_S = 1.0
"""At most one record in this time, however many are refused."""
INTERNAL = "internal"
"""The kind that is no refusal but a bug of ours, which makes a run an error."""


class Refusals:
    """Counts them by their kind, which is also the answer's ``x-chaosproxy-error``. Needs a running loop."""

    def __init__(self, record: Callable[[Trouble], None], clock: Callable[[], float]) -> None:
        self._record = record
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, kind: str) -> None:
        """One more; the first is recorded at once."""
        self._counts[kind] += 1
        if self._timer is None:
            self._report_on()

    def stop(self) -> None:
        """Record what is left and end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._report()

    def _report_on(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(REPORT_S, self._report_on) if self._counts else None
        self._report()

    def _report(self) -> None:
        if bugs := self._counts.pop(INTERNAL, 0):
            words = f"{bugs} x a request failed inside the proxy; the log has the traceback"
            self._record(Trouble(at=self._clock(), part="proxy", detail=words))
        if self._counts:
            words = ", ".join(f"{count} x {kind}" for kind, count in self._counts.items())
            self._record(Trouble(at=self._clock(), part="limits", detail=f"the proxy itself refused requests: {words}"))
            self._counts.clear()
