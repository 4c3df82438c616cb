"""Both ends of a TCP proxy: an upstream that plays a script, and clients that see how a connection ends."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from chaosproxy.dice import Dice
from chaosproxy.faults import fault_class
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.tcp.tcp_proxy import TcpProxy
from chaosproxy.proxy.timers import Timers

PATIENCE_S = 20.0
"""How long a test waits for what must happen."""


def toxic(name: str, **settings: Any) -> Toxic:
    """One with these settings."""
    made = fault_class(f"toxic.{name}").model_validate(settings)
    assert isinstance(made, Toxic)
    return made


@dataclass
class End:
    """One end of a connection, and how it ended: ``fin`` or ``rst``."""

    sock: socket.socket
    got: bytearray = field(default_factory=bytearray)

    async def send(self, data: bytes) -> None:
        """All of it."""
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def read(self, size: int) -> bytes:
        """So many bytes."""
        begin = len(self.got)
        async with asyncio.timeout(PATIENCE_S):
            while len(self.got) < begin + size:
                data = await asyncio.get_running_loop().sock_recv(self.sock, begin + size - len(self.got))
                if not data:
                    break
                self.got += data
        return bytes(self.got[begin:])

    async def end(self) -> str:
        """Read on until it ends."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while data := await asyncio.get_running_loop().sock_recv(self.sock, 65536):
                    self.got += data
            except ConnectionResetError:
                return "rst"
        return "fin"

    def finish(self) -> None:
        """FIN; what comes back can still be read."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()


@dataclass
class Stand:
    """A proxy between an upstream and clients."""

    proxy: TcpProxy
    accepted: asyncio.Queue[End]
    hits: list[tuple[str, int, str]]
    closed: asyncio.Queue[int]
    upstream: socket.socket
    accepting: asyncio.Task[None]
    told: asyncio.Queue[None]
    stack: AsyncExitStack

    async def client(self) -> End:
        """A new connection."""
        sock = socket.socket()
        self.stack.callback(sock.close)
        sock.setblocking(False)
        host, port = self.proxy.listen.rsplit(":", 1)
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
        return End(sock)

    async def pair(self) -> tuple[End, End]:
        """A client, and its connection at the upstream."""
        client = await self.client()
        async with asyncio.timeout(PATIENCE_S):
            return client, await self.accepted.get()

    async def hit(self, count: int = 1) -> None:
        """So many more toxics have taken effect."""
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(count):
                await self.told.get()

    async def refuse(self) -> None:
        """Close the upstream's port."""
        self.accepting.cancel()
        await asyncio.wait([self.accepting])
        self.upstream.close()

    async def all_closed(self) -> None:
        """Nobody is connected any more."""
        async with asyncio.timeout(PATIENCE_S):
            while self.proxy.connections:
                await self.closed.get()


@asynccontextmanager
async def stand(
    *, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic, timers: Timers | None = None
) -> AsyncIterator[Stand]:
    """Start an upstream and a proxy."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        stack.callback(listening.close)
        accepted: asyncio.Queue[End] = asyncio.Queue()

        async def accept() -> None:
            while True:
                sock, _ = await loop.sock_accept(listening)
                stack.callback(sock.close)
                accepted.put_nowait(End(sock))

        accepting = loop.create_task(accept())
        hits: list[tuple[str, int, str]] = []
        closed: asyncio.Queue[int] = asyncio.Queue()
        told: asyncio.Queue[None] = asyncio.Queue()

        def on_hit(name: str, connection: int, words: str) -> None:
            hits.append((name, connection, words))
            told.put_nowait(None)

        own = Timers(clock) if timers is None else timers
        proxy = TcpProxy(
            "p",
            "127.0.0.1:0",
            f"127.0.0.1:{listening.getsockname()[1]}",
            clock=clock,
            timers=own,
            dice=Dice(7),
            on_hit=on_hit,
            on_closed=lambda relay: closed.put_nowait(relay.number),
            limits=limits,
        )
        await proxy.start()
        try:
            yield Stand(proxy, accepted, hits, closed, listening, accepting, told, stack)
        finally:
            accepting.cancel()
            await proxy.stop()
            own.close()


async def settled(read: Callable[[], int], least: int) -> int:
    """What it reads when that has reached ``least`` and grows no more for a while."""
    before = -1
    for _ in range(int(PATIENCE_S / 0.1)):
        if least <= (now := read()) == before:
            return now
        before = now
        await asyncio.sleep(0.1)
    raise TimeoutError(before)
