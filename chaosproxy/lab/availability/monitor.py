"""The health monitor: who of the providers is healthy.

The resilient one looks at each again and again, within a deadline; the naive one looks when it is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from chaosproxy.errors import UpstreamFailed
from chaosproxy.lab.availability.asking import Asker
from chaosproxy.lab.availability.component import Component


class Monitor:
    """``healthy`` is what it believes."""

    def __init__(self, asker: Asker, providers: Mapping[str, str], component: Component) -> None:
        self.component = component
        self.healthy = dict.fromkeys(providers, True)
        self._asker = asker
        self._providers = providers
        self._in_row = dict.fromkeys(providers, 0)
        """How many looks in a row spoke against what is believed."""

    async def run(self) -> None:
        """Look, for ever."""
        while self._asker.resilient:
            async with asyncio.TaskGroup() as looks:
                for name in self._providers:
                    looks.create_task(self._look(name))
            await asyncio.sleep(self._asker.settings.look_every)

    async def told(self) -> dict[str, bool]:
        """One operation: who is healthy. Of a naive one, only while all can be asked."""
        with self.component.operation():
            if not self._asker.resilient:
                for name, url in self._providers.items():
                    await self._asker.ask_well("GET", f"{url}/health")
                    self.healthy[name] = True
            return dict(self.healthy)

    async def _look(self, name: str) -> None:
        well = False
        with suppress(UpstreamFailed):
            await self._asker.ask_well("GET", f"{self._providers[name]}/health")
            well = True
        settings = self._asker.settings
        self._in_row[name] = 0 if well is self.healthy[name] else self._in_row[name] + 1
        if self._in_row[name] >= (settings.healthy_after if well else settings.unhealthy_after):
            self.healthy[name], self._in_row[name] = well, 0
