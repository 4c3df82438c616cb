"""What one run has on a server now: faults are put on its proxies, taken away, and looked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from chaosproxy.errors import PartFailed
from chaosproxy.plan.on_server import OnServer, ServerToxic
from chaosproxy.toxics.client import Gone, ServerProxy, ServerUnreachable
from chaosproxy.toxics.remote import Place, Remote


@dataclass(slots=True)
class Held:
    """A fault on the server. ``acts``: it has been put there, and not taken away, as far as we know."""

    fault: str
    what: OnServer
    places: tuple[Place, ...]
    acts: bool = False


class Board:
    """All faults of a run on its server, which may meet on one proxy. Methods raise PartFailed."""

    def __init__(self, remote: Remote) -> None:
        self._server = remote.server
        self._lease = remote.lease
        self._held: list[Held] = []

    async def put(self, held: Held) -> None:
        """Let a fault act."""
        if held not in self._held:
            self._held.append(held)
        await asyncio.gather(*(self._put(held, place) for place in held.places))
        held.acts = True

    async def take(self, held: Held) -> None:
        """Take a fault away everywhere, and see that it is gone."""
        await self._server.settled()
        await asyncio.gather(*(self._take(held, place) for place in held.places))
        if left := self.left(held, await self._server.proxies()):
            raise PartFailed(f"{self._server.url}: still there after it was removed: {', '.join(left)}")
        held.acts = False

    def whole(self, held: Held, proxies: Mapping[str, ServerProxy]) -> bool:
        """Whether the server has all of a fault that acts."""
        return all(self._is_at(held, place, proxies.get(place.proxy)) for place in held.places)

    def left(self, held: Held, proxies: Mapping[str, ServerProxy]) -> list[str]:
        """What the server still has of a fault that is over."""
        left = []
        for place in held.places:
            proxy = proxies.get(place.proxy)
            if proxy is None:
                continue
            left += [f"{name} on {proxy.name}" for name in proxy.toxics if name in self._names(held, place)]
            if held.what.owns_proxy and not proxy.enabled and not self._others_disable(held, place):
                left.append(f"{proxy.name} is not enabled")
        return left

    # one proxy -------------------------------------------------------------------------------------------------------

    async def _put(self, held: Held, place: Place) -> None:
        if held.what.owns_proxy:
            await self._server.enable(place.proxy, enabled=False)
        for toxic in held.what.toxics:
            await self._server.add_toxic(place.proxy, self._name(held, place, toxic), toxic)
        if held.what.cuts_open and not self._others_disable(held, place):
            await self._server.enable(place.proxy, enabled=True)

    async def _take(self, held: Held, place: Place) -> None:
        try:
            for name in self._names(held, place):
                await self._server.remove_toxic(place.proxy, name)
        except ServerUnreachable:
            if not place.ours:
                raise
            await self._replace(held, place)  # a server waits for clients that do not read
        if held.what.owns_proxy and not self._others_disable(held, place):
            with suppress(Gone):
                await self._server.enable(place.proxy, enabled=True)

    async def _replace(self, but: Held, place: Place) -> None:
        """Put a new proxy in the place of ours, with the other faults there: its connections are closed."""
        await self._server.remove(place.proxy)
        await self._server.create(place.proxy, place.listen, place.upstream)
        for other in self._held:
            if other is not but and other.acts and place in other.places:
                await self._put(other, place)

    def _is_at(self, held: Held, place: Place, proxy: ServerProxy | None) -> bool:
        if proxy is None or not self._names(held, place) <= set(proxy.toxics):
            return False
        return not (held.what.disables and proxy.enabled)

    def _others_disable(self, but: Held, place: Place) -> bool:
        others = (held for held in self._held if held is not but and held.acts)
        return any(held.what.disables and place in held.places for held in others)

    def _names(self, held: Held, place: Place) -> set[str]:
        return {self._name(held, place, toxic) for toxic in held.what.toxics}

    def _name(self, held: Held, place: Place, toxic: ServerToxic) -> str:
        """On a proxy of the run's own a toxic is called like its fault; elsewhere the name carries the lease."""
        name = held.fault + toxic.suffix
        return name if place.ours else self._lease.name(name)
