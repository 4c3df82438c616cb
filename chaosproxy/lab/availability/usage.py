"""The usage counters: who was asked for what, and a ledger that is told.

The resilient ones count what was answered, and tell the ledger in the background until it has heard; the naive ones
count what was asked for, and a ledger that fails fails the call.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from typing import Any

from chaosproxy.errors import UpstreamFailed
from chaosproxy.lab.availability.asking import Asker
from chaosproxy.lab.availability.component import Component

UNTOLD_MAX = 10_000
"""So many uses wait for the ledger at most; the oldest are given up."""


class Usage:
    """Counts, and what of it the ledger has not heard yet."""

    def __init__(self, asker: Asker, component: Component) -> None:
        self.component = component
        self.total = 0
        self.by_model: Counter[str] = Counter()
        self.by_source: Counter[str] = Counter()
        self.reported = 0
        """What others have told us, as their ledger."""
        self._asker = asker
        self._untold: deque[dict[str, str]] = deque(maxlen=UNTOLD_MAX)
        self._more = asyncio.Event()

    async def asked_for(self, model: str) -> None:
        """A call came."""
        if not self._asker.resilient:
            await self._count(model, "asked")

    async def answered(self, model: str, source: str) -> None:
        """A call was answered."""
        if self._asker.resilient:
            await self._count(model, source)

    async def run(self) -> None:
        """Tell the ledger, for ever."""
        while True:
            await self._more.wait()
            while self._untold:
                try:
                    await self._tell(self._untold[0])
                except UpstreamFailed:
                    await asyncio.sleep(self._asker.settings.look_every)
                else:
                    self._untold.popleft()
            self._more.clear()

    def told(self) -> dict[str, Any]:
        """One operation: all counts."""
        with self.component.operation():
            counts = {"by_model": dict(self.by_model), "by_source": dict(self.by_source)}
            return {"total": self.total, **counts, "untold": len(self._untold), "reported": self.reported}

    async def _count(self, model: str, source: str) -> None:
        with self.component.operation():
            self.total += 1
            self.by_model[model] += 1
            self.by_source[source] += 1
            use = {"model": model, "source": source}
            if self._asker.settings.ledger is None:
                return
            if not self._asker.resilient:
                await self._tell(use)
                return
            self._untold.append(use)
            self._more.set()

    async def _tell(self, use: dict[str, str]) -> None:
        await self._asker.ask_well("POST", f"{self._asker.settings.ledger}/usage", json.dumps(use).encode())
