"""Connections to a TCP upstream, whose name is looked up when one is needed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from aiohappyeyeballs import start_connection

from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.upstream.names import Resolver

HAPPY_EYEBALLS_S = 0.25
"""How long one address may take before the next one is tried as well (RFC 8305, 5)."""


class TcpUpstream:
    """``address`` is ``host:port``; with ``context`` it is spoken to in TLS, under ``server_name`` or its host's."""

    def __init__(
        self, address: str, limits: Limits, *, context: ssl.SSLContext | None = None, server_name: str | None = None
    ) -> None:
        host, _, port = address.rpartition(":")
        self._host = host.strip("[]") or "127.0.0.1"
        self._resolver = Resolver(self._host, int(port)) if port.isdecimal() and int(port) < 65536 else None
        self._limits = limits
        self._context = context
        self._server_name = (server_name or self._host) if context is not None else None

    async def dial(self, protocol: Callable[[], asyncio.Protocol]) -> object:
        """A new connection, within Limits.connect_s.

        Raises OSError (TimeoutError and ssl.SSLError are such), and UnicodeError for what cannot be a name.
        """
        if self._resolver is None:
            raise OSError(None, "the upstream's address has no port")
        async with asyncio.timeout(self._limits.connect_s):
            addresses = await self._resolver.addresses()
            sock = await start_connection(addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_S, interleave=1)
            try:
                loop = asyncio.get_running_loop()
                return await loop.create_connection(
                    protocol, sock=sock, ssl=self._context, server_hostname=self._server_name
                )
            except BaseException:
                sock.close()
                raise
