"""Clients that the load has not: WebSockets, raw TCP, downloads, uploads, those who leave, and those who talk nonsense.

A process: ``python -m benchmarks.soak.visitors``. It first prints the URL of an upstream of its own (a WebSocket that
echoes, a download, an upload). On stdin it reads one line of JSON with the URLs to visit, then ``stop``, after which
it prints how many visits of each kind there were. EOF ends it at once.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from chaosproxy.lab.part import announce, open_stdin

AT_ONCE = 20
PAUSE_S = 0.5
VISIT_S = 8.0
"""After this long a visitor leaves, whatever it waits for."""
DOWNLOAD_BYTES = 1_000_000
UPLOAD_BYTES = 5_000_000
"""More than a proxy keeps of a request body."""
HALF_REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
NONSENSE = b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"

Visit = Callable[[], Awaitable[None]]


class Visitors:
    """Visits three listeners, ``models``, ``echo`` and ``bytes``, and the events of the ``control`` API."""

    def __init__(self, urls: dict[str, str], session: aiohttp.ClientSession, seed: int) -> None:
        self._urls = urls
        self._session = session
        self._chance = Random(seed)
        self._visits: tuple[Visit, ...] = (
            *(self.websocket, self.websocket_left, self.tcp, self.tcp_left, self.leaver, self.leaver, self.half),
            *(self.download, self.download_left, self.part_of_a_download, self.upload, self.nonsense, self.events),
            *(self.own_fault, self.plain),
        )
        self.visited: Counter[str] = Counter()
        self.stopped = asyncio.Event()

    async def run(self) -> None:
        """Visit until stopped."""
        await asyncio.gather(*(self._visit() for _ in range(AT_ONCE)))

    async def _visit(self) -> None:
        while not self.stopped.is_set():
            visit = self._chance.choice(self._visits)
            with suppress(OSError, aiohttp.ClientError, TimeoutError, EOFError, ValueError):
                async with asyncio.timeout(VISIT_S):
                    await visit()
            self.visited[visit.__name__] += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopped.wait(), self._chance.uniform(0, 2 * PAUSE_S))

    # over HTTP --------------------------------------------------------------------------------------------------------

    async def websocket(self) -> None:
        """Some messages and their echoes."""
        async with self._session.ws_connect(f"{self._urls['echo']}/ws") as socket_:
            for number in range(5):
                await socket_.send_str(f"message {number}")
                await asyncio.wait_for(socket_.receive(), 1)

    async def websocket_left(self) -> None:
        """A reset in the middle."""
        async with self._session.ws_connect(f"{self._urls['echo']}/ws") as socket_:
            await socket_.send_str("message")
            _reset_at_close(socket_.get_extra_info("socket"))
            socket_._response.close()  # noqa: SLF001 - no other way to leave a WebSocket without a goodbye

    async def download(self) -> None:
        """All of it."""
        async with self._session.get(f"{self._urls['echo']}/download") as answer:
            await answer.read()

    async def download_left(self) -> None:
        """A slow client, who leaves in the middle."""
        async with self._session.get(f"{self._urls['echo']}/download") as answer:
            await answer.content.readany()
            await asyncio.sleep(0.3)
            answer.close()

    async def part_of_a_download(self) -> None:
        """A range."""
        headers = {"Range": "bytes=100-199"}
        async with self._session.get(f"{self._urls['echo']}/download", headers=headers) as answer:
            await answer.read()

    async def upload(self) -> None:
        """More than the proxy keeps."""
        async with self._session.post(f"{self._urls['echo']}/upload", data=bytes(UPLOAD_BYTES)) as answer:
            await answer.read()

    async def plain(self) -> None:
        """A question without a stream."""
        async with self._session.post(f"{self._urls['models']}/v1/chat/completions", json=_question()) as answer:
            await answer.read()

    async def own_fault(self) -> None:
        """A fault that the request asks for itself."""
        headers = {"x-chaosproxy-fault": "stream.truncate where=token:2"}
        question = {**_question(), "stream": True}
        url = f"{self._urls['models']}/v1/chat/completions"
        async with self._session.post(url, json=question, headers=headers) as answer:
            await answer.read()

    async def events(self) -> None:
        """Somebody who looks at the proxy's events for a moment."""
        async with self._session.get(f"{self._urls['control']}/v1/events") as answer:
            for _ in range(5):
                await asyncio.wait_for(answer.content.readany(), 1)

    # below it ---------------------------------------------------------------------------------------------------------

    async def tcp(self) -> None:
        """Bytes both ways, with a FIN of ours first."""
        reader, writer = await self._connect("bytes")
        try:
            writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            writer.write_eof()
            await reader.read()
        finally:
            writer.close()

    async def tcp_left(self) -> None:
        """A reset."""
        await self._leave("bytes", b"GET /v1/models HTTP/1.1\r\n")

    async def leaver(self) -> None:
        """A stream whose client goes away with a reset, or a FIN."""
        body = json.dumps({**_question(), "stream": True}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        await self._leave("models", head + body)

    async def half(self) -> None:
        """Half a request."""
        await self._leave("models", HALF_REQUEST)

    async def nonsense(self) -> None:
        """What is no request."""
        reader, writer = await self._connect("models")
        writer.write(NONSENSE)
        try:
            await reader.read()
        finally:
            writer.close()

    async def _leave(self, name: str, data: bytes) -> None:
        reader, writer = await self._connect(name)
        writer.write(data)
        with suppress(TimeoutError):
            await asyncio.wait_for(reader.read(200), self._chance.uniform(0, 1))
        if self._chance.random() < 0.5:
            _reset_at_close(writer.get_extra_info("socket"))
        writer.close()

    async def _connect(self, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._urls[name])
        return await asyncio.open_connection(parts.hostname, parts.port)


def _question() -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}


def _reset_at_close(sock: socket.socket | None) -> None:
    if sock is not None:  # or it is closed already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# the upstream ---------------------------------------------------------------------------------------------------------


async def _echo(request: web.Request) -> web.WebSocketResponse:
    answer = web.WebSocketResponse()
    await answer.prepare(request)
    with suppress(ConnectionError):
        async for message in answer:
            await answer.send_str(str(message.data))
    return answer


async def _download(_: web.Request) -> web.Response:
    return web.Response(body=bytes(DOWNLOAD_BYTES))


async def _upload(request: web.Request) -> web.Response:
    count = 0
    async for piece in request.content.iter_any():
        count += len(piece)
    return web.json_response({"bytes": count})


async def main() -> None:
    """Serve, visit, and say how often."""
    app = web.Application()
    app.add_routes([web.get("/ws", _echo), web.get("/download", _download), web.post("/upload", _upload)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    announce(url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    orders = await open_stdin()
    if line := await orders.readline():
        await _visit(json.loads(line), orders)
    await runner.cleanup()


async def _visit(urls: dict[str, str], orders: asyncio.StreamReader) -> None:
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)
    async with aiohttp.ClientSession(connector=connector) as session:
        visitors = Visitors(urls, session, seed=1)
        visiting = asyncio.create_task(visitors.run())
        line = await orders.readline()
        visitors.stopped.set()
        if not line:
            visiting.cancel()
        await asyncio.wait([visiting])
    announce(visits=dict(visitors.visited))


if __name__ == "__main__":
    asyncio.run(main())
    sys.exit(0)
