"""The addresses of an upstream's host."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread
from typing import TypeAlias

from aiohappyeyeballs import AddrInfoType

_Found: TypeAlias = list[AddrInfoType] | OSError | UnicodeError


class Resolver:
    """Looks up one host. Whoever asks meanwhile shares the lookup, and each resolver has a thread of its own.

    The threads of a loop's executor are few, and all listeners would share them: one name that hangs would stop all.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._literal = _literal(host, port)
        self._lookup: asyncio.Future[_Found] | None = None

    async def addresses(self) -> list[AddrInfoType]:
        """All of them. Raises OSError, and UnicodeError for what cannot be a name."""
        if self._literal:
            return self._literal
        if self._lookup is None:
            loop = asyncio.get_running_loop()
            self._lookup = loop.create_future()
            # a daemon: a name that hangs must not hold up the end of the process
            Thread(target=self._look_up, args=(loop, self._lookup), name=f"resolve {self._host}", daemon=True).start()
        found = await asyncio.shield(self._lookup)
        if isinstance(found, (OSError, UnicodeError)):
            raise found
        return found

    def _look_up(self, loop: asyncio.AbstractEventLoop, lookup: asyncio.Future[_Found]) -> None:
        found: _Found
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)  # type: ignore[assignment]
        except (OSError, UnicodeError) as error:
            found = error  # a result, as perhaps nobody waits for it any more
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(self._settle, lookup, found)

    def _settle(self, lookup: asyncio.Future[_Found], found: _Found) -> None:
        self._lookup = None
        lookup.set_result(found)


def _literal(host: str, port: int) -> list[AddrInfoType]:
    """The address that ``host`` is, as getaddrinfo would say it. Empty for a name."""
    try:
        version = ip_address(host).version
    except ValueError:
        return []
    if version == 4:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]
    return [(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0))]
