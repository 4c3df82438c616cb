"""One proxy as the API knows it: names, texts and leases around the engine's TcpProxy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chaosproxy.faults.toxic.base import Direction, Toxic
from chaosproxy.proxy.tcp.port import CannotListen
from chaosproxy.proxy.tcp.tcp_proxy import TcpProxy
from chaosproxy.toxics.server.addresses import AddressError, resolve
from chaosproxy.toxics.server.go_text import TOXIC_EXISTS, TOXIC_NOT_FOUND, GoError, Single
from chaosproxy.toxics.server.toxic_forms import NewToxic, ToxicChange


@dataclass(slots=True)
class ServedToxic:
    """A toxic in its place. ``until`` is when its lease runs out, by the loop's clock; None: never."""

    form: NewToxic
    until: float | None = None
    expiry: asyncio.TimerHandle | None = None

    def shown(self) -> dict[str, Any]:
        """As JSON, with the keys of the reference only."""
        form = self.form
        return {
            "attributes": dict(form.attributes),
            "name": form.name,
            "type": form.type,
            "stream": form.stream,
            "toxicity": Single(form.toxicity),
        }

    def cancel(self) -> None:
        """End the lease's timer."""
        if self.expiry is not None:
            self.expiry.cancel()
        self.until = self.expiry = None


class ServedProxy:
    """A proxy of the API. It is started and stopped by its collection only."""

    def __init__(self, name: str, listen: str, upstream: str, make: Callable[[str, str, str], TcpProxy]) -> None:
        self.name = name
        self.listen = listen
        """As it was said, until it was started once; then as resolved."""
        self.upstream = upstream
        self._tcp = make(name, listen, upstream)
        self._toxics: dict[str, ServedToxic] = {}

    @property
    def enabled(self) -> bool:
        """Whether it listens."""
        return self._tcp.enabled

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "toxics": [each.shown() for each in self.toxics()],
        }

    # the proxy itself ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen. Raises GoError, with the words of Go's ``net.Listen``."""
        try:
            address = await resolve(self.listen)
        except AddressError as error:
            raise GoError(f"listen tcp: {error}", 500) from None
        try:
            await self._tcp.rebind(address, self.upstream)
            await self._tcp.start()
        except CannotListen as error:
            raise GoError(error.go_text, 500) from error
        self.listen = self._tcp.listen

    async def stop(self) -> None:
        """Close the port and all connections."""
        await self._tcp.stop()

    async def update(self, listen: str, upstream: str, *, enabled: bool) -> None:
        """Another address, upstream or state; toxics stay. Raises GoError."""
        if await self.differs(listen, upstream):
            await self.stop()
            self.listen, self.upstream = listen, upstream
        if enabled and not self.enabled:
            await self.start()
        elif not enabled:
            await self.stop()

    async def differs(self, listen: str, upstream: str) -> bool:
        """Whether it would have to listen or connect elsewhere. Raises GoError for an address that is none."""
        try:
            return await resolve(listen) != self.listen or upstream != self.upstream
        except AddressError as error:
            raise GoError(str(error), 500) from None

    async def discard(self) -> None:
        """Stop for ever."""
        for toxic in self._toxics.values():
            toxic.cancel()
        await self.stop()

    # toxics ----------------------------------------------------------------------------------------------------------

    def toxics(self) -> list[ServedToxic]:
        """Those of the upstream direction first, each in the order of their coming."""
        return sorted(self._toxics.values(), key=lambda each: each.form.direction is not Direction.UPSTREAM)

    def toxic(self, name: str) -> ServedToxic:
        """One by its name. Raises GoError."""
        try:
            return self._toxics[name]
        except KeyError:
            raise TOXIC_NOT_FOUND from None

    def hits(self, name: str) -> int:
        """On how many connections the toxic has acted."""
        return next(each.hits for each in self._tcp.toxics if each.name == name)

    def ttl_ms(self, toxic: ServedToxic) -> int | None:
        """What is left of the lease."""
        return None if toxic.until is None else max(0, round((toxic.until - time.monotonic()) * 1000))

    def has_toxic(self, name: str) -> bool:
        """Whether the name is taken, in whatever direction."""
        return name in self._toxics

    def add(self, form: NewToxic, toxic: Toxic) -> ServedToxic:
        """Act from now on, on open connections too. Raises GoError when the name is taken."""
        if form.name in self._toxics:
            raise TOXIC_EXISTS
        self._tcp.add(form.name, toxic)
        served = self._toxics[form.name] = ServedToxic(form)
        self._lease(served, form.ttl_ms)
        return served

    def change(self, name: str, change: ToxicChange, toxic: Toxic) -> ServedToxic:
        """Other settings, and a new lease where one is given (0: for ever)."""
        served = self.toxic(name)
        self._tcp.update(name, toxic)
        served.form = change.applied_to(served.form)
        if change.ttl_ms is not None:
            self._lease(served, change.ttl_ms)
        return served

    def remove(self, name: str) -> None:
        """End a toxic. Raises GoError when there is none."""
        self.toxic(name).cancel()
        self._tcp.remove(name)
        del self._toxics[name]

    def remove_all(self) -> None:
        """End all toxics."""
        for name in list(self._toxics):
            self.remove(name)

    def _lease(self, served: ServedToxic, ttl_ms: int) -> None:
        served.cancel()
        if ttl_ms:
            served.until = time.monotonic() + ttl_ms / 1000
            served.expiry = asyncio.get_running_loop().call_later(ttl_ms / 1000, self.remove, served.form.name)
