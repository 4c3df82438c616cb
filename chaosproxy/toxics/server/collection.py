"""All proxies of a server: what the API does, without HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from chaosproxy.proxy.tcp.tcp_proxy import TcpProxy
from chaosproxy.toxics.server.go_text import PROXY_EXISTS, PROXY_NOT_FOUND, TOXIC_EXISTS, GoError
from chaosproxy.toxics.server.proxy_forms import NewProxy, read_json, read_update
from chaosproxy.toxics.server.served_proxy import ServedProxy, ServedToxic
from chaosproxy.toxics.server.toxic_forms import read_change, read_new


@dataclass(slots=True)
class Populated:
    """What came of an array of proxies; ``error`` is what stopped it."""

    proxies: list[ServedProxy] = field(default_factory=list)
    error: GoError | None = None


class Collection:
    """Proxies by their names. What changes proxies runs one after the other; toxics and questions never wait."""

    def __init__(self, make: Callable[[str, str, str], TcpProxy]) -> None:
        self._make = make
        self._proxies: dict[str, ServedProxy] = {}
        self._changing = asyncio.Lock()

    def proxies(self) -> list[ServedProxy]:
        """All of them, by name."""
        return [self._proxies[name] for name in sorted(self._proxies)]

    def get(self, name: str) -> ServedProxy:
        """One by its name. Raises GoError."""
        try:
            return self._proxies[name]
        except KeyError:
            raise PROXY_NOT_FOUND from None

    async def create(self, form: NewProxy) -> ServedProxy:
        """A new proxy, started unless it is disabled. Raises GoError."""
        async with self._changing:
            if form.name in self._proxies:
                raise PROXY_EXISTS
            self._proxies[form.name] = proxy = await self._started(form)
            return proxy

    async def update(self, name: str, body: bytes) -> ServedProxy:
        """Another address, upstream or state. Raises GoError."""
        self.get(name)
        said = read_update(body)
        async with self._changing:
            proxy = self.get(name)
            listen, upstream = said.get("listen", proxy.listen), said.get("upstream", proxy.upstream)
            await proxy.update(listen, upstream, enabled=said.get("enabled", proxy.enabled))
            return proxy

    async def delete(self, name: str) -> None:
        """End a proxy and its connections. Raises GoError."""
        async with self._changing:
            proxy = self.get(name)
            del self._proxies[name]
            await proxy.discard()

    async def populate(self, forms: Iterable[NewProxy]) -> Populated:
        """Create or replace, in order, up to the first that fails; one that would be the same stays untouched."""
        done = Populated()
        async with self._changing:
            for form in forms:
                try:
                    done.proxies.append(await self._put(form))
                except GoError as error:
                    done.error = error
                    break
        return done

    async def reset(self) -> None:
        """Start all proxies and end all toxics. Raises GoError for one that cannot be started."""
        async with self._changing:
            for proxy in self.proxies():
                if not proxy.enabled:
                    await proxy.start()
                proxy.remove_all()

    async def close(self) -> None:
        """End all proxies."""
        await asyncio.gather(*(proxy.discard() for proxy in self.proxies()))
        self._proxies.clear()

    # toxics ----------------------------------------------------------------------------------------------------------

    def add_toxic(self, name: str, body: bytes) -> ServedToxic:
        """A new toxic. Raises GoError."""
        proxy = self.get(name)

        def refuse_taken(toxic_name: str) -> None:
            if proxy.has_toxic(toxic_name):
                raise TOXIC_EXISTS

        form = read_new(read_json(body), refuse_taken)
        return proxy.add(form, form.toxic())

    def change_toxic(self, name: str, toxic_name: str, body: bytes) -> ServedToxic:
        """Other settings of a toxic: all that are given, or none. Raises GoError."""
        proxy = self.get(name)
        before = proxy.toxic(toxic_name).form
        change = read_change(read_json(body), before.type)
        return proxy.change(toxic_name, change, change.applied_to(before).toxic())

    async def _put(self, form: NewProxy) -> ServedProxy:
        existing = self._proxies.get(form.name)
        if existing is not None:
            if not await existing.differs(form.listen, form.upstream):
                return existing
            await existing.stop()
        self._proxies[form.name] = proxy = await self._started(form)
        if existing is not None:
            await existing.discard()
        return proxy

    async def _started(self, form: NewProxy) -> ServedProxy:
        proxy = ServedProxy(form.name, form.listen, form.upstream, self._make)
        for toxic in form.toxics:
            proxy.add(toxic, toxic.toxic())
        try:
            if form.enabled:
                await proxy.start()
        except GoError:
            await proxy.discard()
            raise
        return proxy
