"""One run's use of a Toxiproxy server: what it makes there, and that nothing of it stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from chaosproxy.errors import PartFailed
from chaosproxy.toxics.client import ServerProxy, ToxiproxyServer
from chaosproxy.toxics.lease import Lease, is_over, lease_of

RETRY_EACH_S = 0.25
"""How often a server that does not answer is asked again."""
ANY_HOST = ("", "0.0.0.0", "[::]", "::")  # noqa: S104 - what a server listens on, never we
"""Listen addresses that stand for every one of a machine."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the toxics of a backend go. ``ours``: the run made the proxy, for itself."""

    backend: str
    proxy: str
    ours: bool
    address: str
    """HOST:PORT for clients."""
    listen: str
    """As the server resolved it."""
    upstream: str
    seen: bool
    """Whether a listener of ours stands behind it."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a run that is over had left there, and was removed; ``why``: how that is known."""

    name: str
    why: str


class Remote:
    """A server as one run uses it. All methods raise PartFailed."""

    def __init__(self, server: ToxiproxyServer, lease: Lease, wall: Callable[[], float]) -> None:
        self.server = server
        self.lease = lease
        self._wall = wall

    async def open(self) -> list[Swept]:
        """See that it is a Toxiproxy server, and remove what runs that are over have left there."""
        await self.server.version()
        swept = []
        for proxy in (await self.server.proxies()).values():
            if why := self._over(proxy.name):
                await self.server.remove(proxy.name)
                swept.append(Swept(proxy.name, why))
                continue
            for toxic in proxy.toxics:
                if why := self._over(toxic):
                    await self.server.remove_toxic(proxy.name, toxic)
                    swept.append(Swept(f"{toxic} on {proxy.name}", why))
        return swept

    async def users_proxy(self, listen: str, upstream: str) -> ServerProxy | None:
        """The user's own proxy at this address with this upstream, HOST:PORT both; None when nobody listens there.

        Raises PartFailed when somebody else listens there, or it is not enabled.
        """
        for proxy in (await self.server.proxies()).values():
            if not _same_place(listen, proxy.listen):
                continue
            what = f"{self.server.url}: its proxy {proxy.name!r} listens at {proxy.listen} already"
            if lease_of(proxy.name) is not None:
                raise PartFailed(f"{what}, for another run")
            if proxy.upstream != upstream:
                raise PartFailed(f"{what}, with the upstream {proxy.upstream}, not {upstream}")
            if not proxy.enabled:
                raise PartFailed(f"{what}, and is not enabled; a proxy of somebody else's is never changed")
            return proxy
        return None

    def place_on(self, backend: str, proxy: ServerProxy) -> Place:
        """Toxics of a backend on the user's own proxy."""
        return self._place(backend, proxy, ours=False, seen=False)

    async def front(self, backend: str, listen: str, upstream: str, *, seen: bool) -> Place:
        """A proxy of our own, which listens at ``listen`` for clients of the backend."""
        made = await self.server.create(self.lease.name(backend), listen, upstream)
        return self._place(backend, made, ours=True, seen=seen)

    def _place(self, backend: str, proxy: ServerProxy, *, ours: bool, seen: bool) -> Place:
        return Place(backend, proxy.name, ours, self._address(proxy.listen), proxy.listen, proxy.upstream, seen)

    async def leave(self, within_s: float) -> None:
        """Remove all that this run made there, and see that it is gone; asks again until it is, or time is up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while True:
            try:
                await self._remove_mine()
            except PartFailed:
                if loop.time() + RETRY_EACH_S > end:
                    raise
            else:
                return
            await asyncio.sleep(RETRY_EACH_S)

    async def _remove_mine(self) -> None:
        await self.server.settled()
        for proxy in (await self.server.proxies()).values():
            if self._mine(proxy.name):
                await self.server.remove(proxy.name)
                continue
            for toxic in filter(self._mine, proxy.toxics):
                await self.server.remove_toxic(proxy.name, toxic)
        proxies = (await self.server.proxies()).values()
        if left := [name for proxy in proxies for name in (proxy.name, *proxy.toxics) if self._mine(name)]:
            raise PartFailed(f"{self.server.url}: still there after it was removed: {', '.join(left)}")

    def _mine(self, name: str) -> bool:
        lease = lease_of(name)
        return lease is not None and lease.run == self.lease.run

    def _over(self, name: str) -> str:
        lease = lease_of(name)
        return "" if lease is None else is_over(lease, self._wall())

    def _address(self, listen: str) -> str:
        """Where clients connect to: the server's host, unless it listens at one address only."""
        host, _, port = listen.rpartition(":")
        if host in ANY_HOST:
            host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        return f"{host}:{port}"


def hostport(url: str) -> str:
    """HOST:PORT of an http, https or tcp URL."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _same_place(wanted: str, there: str) -> bool:
    """Whether two listen addresses cannot both be taken; port 0 is a new one each time."""
    host, _, port = wanted.rpartition(":")
    other, _, other_port = there.rpartition(":")
    if port != other_port or port == "0":
        return False
    hosts = {_LOOPBACK.get(name, name) for name in (host, other)}
    return len(hosts) == 1 or bool(hosts & set(ANY_HOST))


_LOOPBACK = {"localhost": "127.0.0.1"}
