"""A client that does not keep up: 500 MB pass, the upstream waits meanwhile, and the proxy's memory stays as it is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import pytest

from tests.e2e.soak import LINUX, Watched, serving
from tests.functional.wire_kit import LAST_CHUNK, SSE_HEAD, ask, chunk, event

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.skipif(not LINUX, reason="reads /proc")]

MB = 1_000_000
SIZE = 500 * MB
GROWTH_MAX = 30 * MB
IN_KERNEL_MAX = 40 * MB
"""More than the four socket buffers on the way take."""
STOPS = 3
"""So often the client takes nothing until the upstream is stuck."""
TAKES = 2 * MB
"""And so much in between."""


@dataclass(frozen=True)
class Body:
    """A head, and a piece that is repeated ``count`` times."""

    head: bytes
    piece: bytes
    count: int
    tail: bytes = b""

    @property
    def size(self) -> int:
        return len(self.piece) * self.count


def raw(size: int) -> Body:
    """A download with a length."""
    piece = b"x" * 65536
    count = size // len(piece)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {len(piece) * count}\r\n\r\n"
    return Body(head.encode(), piece, count)


def events(size: int, event_bytes: int) -> Body:
    """A stream of events, one chunk each."""
    frame = event("word " + "x" * event_bytes)
    return Body(SSE_HEAD, chunk(frame), size // len(frame), LAST_CHUNK)


class Source:
    """An upstream that sends one body per connection as fast as it is taken, and knows when it is stuck."""

    def __init__(self, bodies: Iterator[Body]) -> None:
        self._bodies = bodies
        self.sent = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = "http://{}:{}".format(*self._server.sockets[0].getsockname())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = next(self._bodies)
        try:
            writer.write(body.head)
            for _ in range(body.count):
                writer.write(body.piece)
                self.sent += len(body.piece)
                await writer.drain()
            writer.write(body.tail)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def until_stuck(self) -> None:
        """Wait until nothing was taken for a while, or all of it was."""
        before = -1
        while self.sent != before:
            before = self.sent
            await asyncio.sleep(0.25)


async def dial(url: str) -> socket.socket:
    """A client with a small receive buffer, so that little hides in the kernel."""
    host, _, port = url.removeprefix("http://").partition(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, (host, int(port)))
    await loop.sock_sendall(sock, ask(headers="Connection: close\r\n"))
    return sock


async def take(sock: socket.socket, size: int | None = None) -> int:
    """Read so much, or all; how much came."""
    loop, buffer, taken = asyncio.get_running_loop(), bytearray(1 << 20), 0
    while size is None or taken < size:
        count = await loop.sock_recv_into(sock, buffer)
        if not count:
            break
        taken += count
    return taken


async def fetch_all(url: str) -> None:
    """Like a client that keeps up."""
    with await dial(url) as sock:
        await take(sock)


async def read_slowly(proxy: Watched, source: Source) -> tuple[int, list[int]]:
    """Nothing until the upstream is stuck, a bit, again; then the rest. How much came, and how far the upstream was."""
    ahead: list[int] = []
    with await dial(proxy.url) as sock:
        taken = 0
        for _ in range(STOPS):
            await source.until_stuck()
            ahead.append(source.sent - taken)
            taken += await take(sock, TAKES)
        return taken + await take(sock), ahead


PACED = "time.inter_token mean=0s"
HELD = "time.inter_token mean=0.5ms"
"""Slower than the upstream sends, so that the fault holds events back, too."""


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param(raw, None, id="raw"),
        pytest.param(raw, "stream.truncate where=byte:900000000", id="raw, a fault far away"),
        pytest.param(lambda size: events(size, 16_000), None, id="events"),
        pytest.param(lambda size: events(size, 16_000), PACED, id="events, a fault at work"),
        pytest.param(lambda size: events(size, 60_000), HELD, id="events, a fault holds"),
    ],
)
async def test_500_mb_through_a_slow_client(body: Callable[[int], Body], fault: str | None) -> None:
    """Memory grows by less than 30 MB, the upstream is paused, and every byte arrives."""
    large, small = body(SIZE), body(4 * MB)
    async with Source(iter([small, small, large])) as source:
        words = [] if fault is None else ["--fault", fault]
        async with serving(source.url, *words) as proxy:
            for _ in range(2):
                await fetch_all(proxy.url)
            source.sent = 0
            proxy.forget_peak()
            before = proxy.rss_bytes
            async with asyncio.timeout(100):
                taken, ahead = await read_slowly(proxy, source)
            growth = proxy.peak_rss_bytes - before

    assert taken >= large.size
    assert max(ahead) < IN_KERNEL_MAX
    assert growth < GROWTH_MAX
