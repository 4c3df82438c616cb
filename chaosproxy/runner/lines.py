"""Our proxy and a Toxiproxy server as one line: each fault goes where it acts, and all are healed at once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from chaosproxy.plan.rule import Rule
from chaosproxy.runner.conductor import Faultline


class Lines:
    """A Faultline of two; ``there`` are the ids of the faults for the server."""

    def __init__(self, proxy: Faultline, server: Faultline, there: Collection[str]) -> None:
        self._proxy = proxy
        self._server = server
        self._there = there

    async def apply(self, owner: str, rules: Sequence[Rule], *, lease_s: float, seed: int) -> None:
        """Make ``rules`` the whole set of ``owner``."""
        here = [rule for rule in rules if rule.id not in self._there]
        there = [rule for rule in rules if rule.id in self._there]
        await self._proxy.apply(owner, here, lease_s=lease_s, seed=seed)
        await self._server.apply(owner, there, lease_s=lease_s, seed=seed)

    async def renew(self, owner: str, *, lease_s: float) -> None:
        """Prolong its leases."""
        await self._proxy.renew(owner, lease_s=lease_s)
        await self._server.renew(owner, lease_s=lease_s)

    async def clear(self, owner: str) -> None:
        """End all its faults. One that fails does not keep the other from being healed."""
        done = await asyncio.gather(self._proxy.clear(owner), self._server.clear(owner), return_exceptions=True)
        for failure in done:
            if isinstance(failure, BaseException):
                raise failure

    async def active(self, owner: str) -> list[str]:
        """Its faults that are active now."""
        return [*await self._proxy.active(owner), *await self._server.active(owner)]
