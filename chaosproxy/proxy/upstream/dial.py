"""New connections to an upstream: straight or through a forward proxy, with TLS where its URL says so."""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohappyeyeballs import start_connection

from chaosproxy.errors import UpstreamFailed, UserError
from chaosproxy.proxy.certificates import Trust, distrust
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.target import Target
from chaosproxy.proxy.upstream.connection import UpstreamConnection
from chaosproxy.proxy.upstream.names import Resolver
from chaosproxy.wire.http1 import Broken, head_end, read_head

HAPPY_EYEBALLS_S = 0.25
"""How long one address may take before the next one is tried as well (RFC 8305, 5)."""


class ForwardProxy:
    """What HTTPS_PROXY, HTTP_PROXY and NO_PROXY say about an upstream. Raises UserError for what is no URL of one."""

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
        except ValueError as error:
            raise UserError("the URL of the forward proxy has half of an IPv6 address") from error
        if parts.scheme != "http" or not parts.hostname:
            raise UserError(f"expected a forward proxy such as http://proxy.example.com:3128, got {parts.scheme}://...")
        self.host = parts.hostname
        try:
            self.port = parts.port or 80
        except ValueError as error:
            raise UserError("expected a port from 1 to 65535 in the URL of the forward proxy") from error
        self.authorization: str | None = None
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self.authorization = f"Basic {b64encode(credentials.encode()).decode()}"

    @classmethod
    def towards(cls, target: Target) -> ForwardProxy | None:
        """The proxy that the environment names for this upstream."""
        if proxy_bypass(target.host):
            return None
        url = getproxies().get("https" if target.secure else "http")
        return None if url is None else cls(url)


class Dialler:
    """Opens connections to one upstream."""

    def __init__(self, target: Target, trust: Trust, limits: Limits) -> None:
        self.proxy = ForwardProxy.towards(target)
        self._target = target
        first = self.proxy or target
        self._resolver = Resolver(first.host, first.port)
        self._context = trust.context if target.secure else None  # made now: a question should not wait for it
        self._limits = limits

    async def dial(self, connection: Callable[[], UpstreamConnection]) -> UpstreamConnection:
        """A new connection, open and verified. Raises UpstreamFailed."""
        target = self._target
        try:
            async with asyncio.timeout(self._limits.connect_s):
                return await self._connect(connection)
        except TimeoutError as error:
            raise UpstreamFailed(UpstreamFailed.TIMEOUT, f"{target}: no connection in time") from error
        except ssl.SSLError as error:
            raise UpstreamFailed(UpstreamFailed.TLS, f"{target}: {distrust(error)}") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: what cannot be a name
            words = ((error.strerror if isinstance(error, OSError) else None) or str(error)).lower()
            through = "" if self.proxy is None else f" through the forward proxy {self.proxy.host}:{self.proxy.port}"
            raise UpstreamFailed(UpstreamFailed.CONNECT, f"{target}{through}: {words}") from error

    async def _connect(self, connection: Callable[[], UpstreamConnection]) -> UpstreamConnection:
        loop, target, proxy = asyncio.get_running_loop(), self._target, self.proxy
        sock = await start_connection(
            await self._resolver.addresses(), happy_eyeballs_delay=HAPPY_EYEBALLS_S, interleave=1
        )
        try:
            if proxy is not None and target.secure:
                await self._open_tunnel(sock, proxy)
            name = target.host if target.secure else None
            _, made = await loop.create_connection(connection, sock=sock, ssl=self._context, server_hostname=name)
        except BaseException:
            sock.close()
            raise
        return made

    async def _open_tunnel(self, sock: socket.socket, proxy: ForwardProxy) -> None:
        loop, target, limit_bytes = asyncio.get_running_loop(), self._target, self._limits.header_bytes
        place = f"[{target.host}]:{target.port}" if ":" in target.host else f"{target.host}:{target.port}"
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        if proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        await loop.sock_sendall(sock, ("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = b""
        try:
            while not head_end(answer, limit_bytes):
                data = await loop.sock_recv(sock, 1024)  # TLS servers wait for us, so nothing follows the head
                if not data:
                    raise OSError(None, "it gave no answer to CONNECT")
                answer += data
            status = read_head(answer).status
        except Broken as error:
            raise OSError(None, f"it did not answer in HTTP: {error}") from error
        if not 200 <= status < 300:
            raise OSError(None, f"it refused CONNECT with {status}")
