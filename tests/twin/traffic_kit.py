"""Both ends of a connection through a server, and what was seen at them: facts, and times that may differ a little."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self, cast

from tests.twin.twin_kit import Answer, Server

PATIENCE_S = 10.0
"""How long anything may take that is waited for."""
TICK_S = 0.002


@dataclass
class Seen:
    """What a case found out about one server. Times are seconds."""

    facts: dict[str, Any] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)


class Peer(asyncio.Protocol):
    """One end of a connection. ``end`` is FIN or RST once the other side ended it."""

    def __init__(self, accepted: asyncio.Queue[Peer] | None = None) -> None:
        self.got = bytearray()
        self._accepted = accepted
        self.end: str | None = None
        self.chunks = 0
        self.got_at = self.end_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """The socket's."""
        assert self._transport is not None
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._accepted is not None:
            self._accepted.put_nowait(self)

    def data_received(self, data: bytes) -> None:
        self.got += data
        self.chunks += 1
        self.got_at = self._loop.time()
        self._changed.set()

    def eof_received(self) -> bool:
        self._ended("FIN")
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        self._ended("RST" if exc is not None else "FIN")

    def _ended(self, how: str) -> None:
        if self.end is None:
            self.end, self.end_at = how, self._loop.time()
            self._changed.set()

    def send(self, data: bytes) -> None:
        """As much as the system takes, the rest later."""
        self.transport.write(data)

    def finish(self) -> None:
        """FIN of this direction."""
        self.transport.write_eof()

    def close(self) -> None:
        """Close the socket."""
        self.transport.close()

    def abort(self) -> None:
        """Close the socket, and forget what was to be sent."""
        if self._transport is not None:
            self._transport.abort()

    def reset(self) -> None:
        """RST."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until something is so, or fail."""
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                self._changed.clear()
                await self._changed.wait()

    async def bytes(self, count: int) -> bytes:
        """Wait for that many, in all."""
        await self.until(lambda: len(self.got) >= count or self.end is not None)
        return bytes(self.got)

    async def ended(self) -> str:
        """Wait for the end."""
        await self.until(lambda: self.end is not None)
        return str(self.end)

    @property
    def digest(self) -> str:
        """All that it got: length and hash."""
        return f"{len(self.got)} {hashlib.sha256(self.got).hexdigest()[:12]}"


class Rig:
    """A server with a proxy ``p`` in front of an upstream of ours."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.seen = Seen()
        self._loop = asyncio.get_running_loop()
        self._accepted: asyncio.Queue[Peer] = asyncio.Queue()
        self._upstreams: list[asyncio.Server] = []
        self._peers: list[Peer] = []
        self.port = 0

    async def open(self, *toxics: dict[str, Any], upstream: str | None = None) -> Rig:
        """Create the proxy."""
        made = await self.call(
            "POST", "/proxies", {"name": "p", "listen": "127.0.0.1:0", "upstream": upstream or await self.upstream()}
        )
        self.port = int(made.data["listen"].rpartition(":")[2])
        for toxic in toxics:
            await self.add(**toxic)
        return self

    async def upstream(self) -> str:
        """One more upstream; its connections come out of ``pair`` like those of the first."""
        server = await self._loop.create_server(self._welcome, "127.0.0.1", 0)
        self._upstreams.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def _welcome(self) -> Peer:
        peer = Peer(self._accepted)
        self._peers.append(peer)
        return peer

    async def client(self) -> Peer:
        """A client of the proxy. Raises OSError."""
        _, peer = await self._loop.create_connection(Peer, "127.0.0.1", self.port)
        self._peers.append(peer)
        return peer

    async def pair(self) -> tuple[Peer, Peer]:
        """A client and its upstream, connected."""
        client = await self.client()
        async with asyncio.timeout(PATIENCE_S):
            return client, await self._accepted.get()

    async def call(self, method: str, path: str, body: Any = b"", *, within_s: float = 40.0) -> Answer:
        """Ask the API; it answers something else than an error of its own."""
        answer = await asyncio.to_thread(self.server.call, method, path, body, None, within_s)
        assert answer.status < 500, answer
        return answer

    async def add(self, type: str, stream: str = "downstream", toxicity: float = 1, **attributes: int) -> None:  # noqa: A002 - Toxiproxy's word
        """A toxic on the proxy, named after its type."""
        body = {"name": type, "type": type, "stream": stream, "toxicity": toxicity, "attributes": attributes}
        answer = await self.call("POST", "/proxies/p/toxics", body)
        assert answer.status == 200, answer

    async def change(self, type: str, **attributes: int) -> None:  # noqa: A002 - Toxiproxy's word
        """Other attributes."""
        await self.call("PATCH", f"/proxies/p/toxics/{type}", {"attributes": attributes})

    async def remove(self, type: str) -> None:  # noqa: A002 - Toxiproxy's word
        """End a toxic."""
        await self.call("DELETE", f"/proxies/p/toxics/{type}")

    def fact(self, **facts: Any) -> None:
        """Must be equal."""
        self.seen.facts.update(facts)

    def took(self, **times: float) -> None:
        """Must be about equal."""
        self.seen.times.update(times)

    @property
    def now(self) -> float:
        """Seconds."""
        return self._loop.time()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End both ends; the proxy stays."""
        for server in self._upstreams:
            server.close()
        for peer in self._peers:
            peer.abort()
        await asyncio.sleep(0)  # the loop closes sockets in its next turn


Play = Callable[[Rig], Awaitable[None]]


class LagMeter:
    """How late this process was at most: a time that was measured here is no better than that."""

    def __init__(self) -> None:
        self.worst_s = 0.0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._task.cancel()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            self.worst_s = max(self.worst_s, loop.time() - due)


async def play(server: Server, case: Play) -> Seen:
    """Run a case on one server."""
    async with Rig(server) as rig:
        await case(rig)
    await asyncio.to_thread(server.clean)
    return rig.seen
