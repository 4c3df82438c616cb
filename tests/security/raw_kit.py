"""An attacker with a raw socket at one end, and at the other an upstream that keeps every byte that arrived."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import Journal, plain

ANSWER = plain(b"ok")
PATIENCE_S = 30


@dataclass
class Recorder:
    """An upstream: what it got on each connection, byte by byte. It answers each packet that has the end of a head."""

    url: str = ""
    answer: bytes = ANSWER
    streams: list[bytearray] = field(default_factory=list)

    @property
    def got(self) -> bytes:
        """All that arrived."""
        return b"".join(map(bytes, self.streams))

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@asynccontextmanager
async def recorder(answer: bytes = ANSWER) -> AsyncIterator[Recorder]:
    """Run an upstream."""
    upstream = Recorder(answer=answer)
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = bytearray()
        upstream.streams.append(stream)
        writers.append(writer)
        while data := await reader.read(1 << 16):
            stream += data
            if b"\r\n\r\n" in data:
                writer.write(upstream.answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


@dataclass
class Front:
    """A proxy before a recorder."""

    proxy: Proxy
    upstream: Recorder
    journal: Journal

    @property
    def url(self) -> str:
        return self.proxy.urls["a"]


@asynccontextmanager
async def front(answer: bytes = ANSWER, limits: Limits | None = None, base_path: str = "") -> AsyncIterator[Front]:
    """Run both."""
    async with recorder(answer) as upstream:
        journal = Journal()
        spec = ListenerSpec("a", "127.0.0.1:0", upstream.url + base_path)
        async with Proxy([spec], record=journal.add, limits=limits or Limits(stop_s=0.1), token="t") as proxy:
            yield Front(proxy, upstream, journal)


async def attack(url: str, *pieces: bytes) -> bytes:
    """Send the pieces on one connection; all that comes back until its other end closes."""
    host, _, port = url.partition("://")[2].partition(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except ConnectionError:
        return b""
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


async def answered(url: str, request: bytes) -> bytes:
    """One request that should pass, up to the end of its answer's head and the two bytes of its body."""
    host, _, port = url.partition("://")[2].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        async with asyncio.timeout(PATIENCE_S):
            return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.transport.abort()


def post(fields: bytes, body: bytes = b"", line: bytes = b"POST /v1/x HTTP/1.1") -> bytes:
    """A request with these fields after its Host."""
    return line + b"\r\nHost: h\r\n" + fields + b"\r\n" + body
