"""Sends one call over a pool of connections and reads the answer, as an SDK's raw call would, but never twice.

No call is repeated: a retry would hide what the edge of the system did. So that no server's idle timeout (5 s in
uvicorn and node) is taken for a fault, idle connections are given up after ``IDLE_S``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, cast
from urllib.parse import urlsplit

from chaosproxy.errors import UserError, shown_url
from chaosproxy.lab.load.http1 import ResponseReader
from chaosproxy.proxy.certificates import client_context, distrust

IDLE_S = 4.0
"""How long a connection is kept for the next call."""
LINGER_S = 1.0
"""How long the end of the body may follow the terminal event, for the connection to be used again."""
HUNG_AFTER_TIMEOUTS = 2.0
"""A call that is open after so many read timeouts is hung: something keeps it alive without an end."""


class Transcript(Protocol):
    """Who takes down what came back."""

    @property
    def over(self) -> bool:
        """Whether nothing that may still come matters."""

    @property
    def completed(self) -> bool:
        """Whether it is over without an error."""

    def head(self, at: float, status: int) -> None:
        """The status line came."""

    def data(self, at: float, data: bytes) -> None:
        """A piece of the body came."""

    def end(self, at: float) -> None:
        """The body ended as its framing says."""

    def failed(self, at: float, kind: str, message: str) -> None:
        """It ended with an error."""


class Connection(asyncio.Protocol):
    """One TCP connection. What arrives goes to the transcript at once, with the time at which it arrived."""

    _transport: asyncio.Transport
    """Set by the loop before anybody else gets to see the connection."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._transcript: Transcript | None = None
        self._reader = ResponseReader()
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self._loop.create_future()
        self.read: asyncio.Future[None] = self._loop.create_future()
        """``over``: the call is settled; ``read``: nothing more of its response will come."""
        self.heard_at = self._loop.time()

    @property
    def reusable(self) -> bool:
        """Whether it can carry the next call."""
        return self._reader.reusable and not self._transport.is_closing()

    def send(self, request: bytes, transcript: Transcript) -> None:
        """Write a request; its response goes to ``transcript``."""
        self._transcript = transcript
        self._reader = ResponseReader()
        self.over, self.read = self._loop.create_future(), self._loop.create_future()
        self.heard_at = self._loop.time()
        self._transport.write(request)

    def close(self) -> None:
        """Close at once; what was still to come is cut off."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        if self._transcript is None or self._reader.done:
            self.close()
            return
        now = self._clock()
        headed = self._reader.status is not None
        body = self._reader.feed(data)
        if self._reader.status is not None and not headed:
            self._transcript.head(now, self._reader.status)
        if body:
            self._transcript.data(now, body)
        if self._reader.flaw is not None:
            self._transcript.failed(now, "protocol", self._reader.flaw)
        elif self._reader.done:
            self._transcript.end(now)
        self._settle(read=self._reader.done)

    def eof_received(self) -> None:
        if self._transcript is not None and self._reader.end():
            self._transcript.end(self._clock())
            self._settle(read=True)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transcript is not None:
            kind = "incomplete" if error is None else "protocol" if isinstance(error, ssl.SSLError) else "reset"
            self._transcript.failed(self._clock(), kind, _words(error))
        self._settle(read=True)

    def _settle(self, *, read: bool) -> None:
        if (read or (self._transcript is not None and self._transcript.over)) and not self.over.done():
            self.over.set_result(None)
        if read and not self.read.done():
            self.read.set_result(None)


class Client:
    """All connections of the load to one entry; how many there are is the callers' decision."""

    def __init__(self, url: str, clock: Callable[[], float], ca: str | None = None) -> None:
        """``ca`` is trusted beside the system's authorities. Raises UserError when ``url`` or that file is none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise UserError(f"entry: expected a URL such as http://127.0.0.1:8080, got {shown_url(url)!r}")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._base = parts.path.rstrip("/")
        self._authority = parts.netloc.rpartition("@")[2]
        self._tls = client_context(ca) if parts.scheme == "https" else None
        self._clock = clock
        self._idle: list[Connection] = []

    def path_of(self, path: str) -> str:
        """Where ``path`` is, from the entry on."""
        return self._base + path

    def request(self, path: str, headers: dict[str, str], body: bytes, method: str = "POST") -> bytes:
        """The bytes of a request."""
        fields = {"host": self._authority, **headers, "content-length": str(len(body))}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1") + body

    async def ask(self, request: bytes, transcript: Transcript, timeout_s: float) -> Connection | None:
        """Send it and wait until the call is over; the connection goes to ``part`` then."""
        hung_at = asyncio.get_running_loop().time() + HUNG_AFTER_TIMEOUTS * timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._connection()
        except TimeoutError:
            transcript.failed(self._clock(), "timeout", f"no connection within {timeout_s:g} s")
            return None
        except OSError as error:
            words = distrust(error) if isinstance(error, ssl.SSLError) else _words(error)
            transcript.failed(self._clock(), "connect", words)
            return None
        try:
            connection.send(request, transcript)
            await self._watch(connection, transcript, timeout_s, hung_at)
        except asyncio.CancelledError:
            connection.close()
            raise
        return connection

    async def part(self, connection: Connection | None, transcript: Transcript) -> None:
        """Keep the connection for the next call when its response ends in time; else close it."""
        if connection is None:
            return
        if transcript.completed and not connection.read.done():
            with suppress(TimeoutError):
                await asyncio.wait_for(connection.read, LINGER_S)
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()

    async def close(self) -> None:
        """Close all idle connections."""
        while self._idle:
            self._idle.pop().close()
        await asyncio.sleep(0)  # sockets are closed in the loop's next turn

    async def _connection(self) -> Connection:
        loop = asyncio.get_running_loop()
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and loop.time() - connection.heard_at < IDLE_S:
                return connection
            connection.close()
        _, connection = await loop.create_connection(
            lambda: Connection(self._clock), self._host, self._port, ssl=self._tls
        )
        return connection

    async def _watch(self, connection: Connection, transcript: Transcript, timeout_s: float, hung_at: float) -> None:
        """Wait for the end of the call, of its bytes for ``timeout_s``, or of all patience."""
        loop = asyncio.get_running_loop()
        while not connection.over.done():
            until = min(connection.heard_at + timeout_s, hung_at)
            if loop.time() >= hung_at:
                transcript.failed(self._clock(), "hung", f"open after {HUNG_AFTER_TIMEOUTS * timeout_s:g} s")
                return
            if loop.time() >= until:
                transcript.failed(self._clock(), "timeout", f"silent for {timeout_s:g} s")
                return
            await asyncio.wait([connection.over], timeout=until - loop.time())


def _words(error: Exception | None) -> str:
    if error is None:
        return "the connection ended before the answer did"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
