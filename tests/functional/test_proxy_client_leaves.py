"""A client that disappears frees its upstream: within 100 ms, however it leaves and whatever is going on."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import PATH, SSE_HEAD, Client, Journal, ask, chunk, events, reset

FREED_S = 0.1
"""From the client's close to the end that the upstream sees."""
BEAT_S = 0.005
TIMES = 10
"""So often a measurement is repeated in which the loop was late that all three ends share."""

LONG_BODY = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n".encode() + b"x" * 5_000_000
"""Longer than what is read before the upstream is asked, and not complete."""


@dataclass
class Asked:
    """What an upstream got, and what it sees of its end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    blocked: asyncio.Event = field(default_factory=asyncio.Event)
    """Nobody takes what it sends."""

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def ended_at(self) -> float:
        """When the connection ended; it reads all the time, so that nothing hides that."""
        with suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass
        return time.monotonic()


Script = Callable[[Asked], Awaitable[None]]
Reads = Callable[[Client, Asked], Awaitable[None]]


async def silent(asked: Asked) -> None:
    """Not a byte of an answer."""


async def head_only(asked: Asked) -> None:
    """An answer that does not go on."""
    await asked.send(SSE_HEAD)


async def some(asked: Asked) -> None:
    """Events, and then silence."""
    await asked.send(SSE_HEAD + b"".join(map(chunk, events(8)[:-1])))


async def endless(asked: Asked) -> None:
    """Events as fast as they are taken."""
    large = chunk(events(1)[0][:-2] + b" " * 60_000 + b"\n\n")
    await asked.send(SSE_HEAD)
    while not asked.writer.is_closing():
        asked.writer.write(large)
        if asked.writer.transport.get_write_buffer_size():
            asked.blocked.set()
        await asked.writer.drain()
        await asyncio.sleep(0)


async def nothing(client: Client, asked: Asked) -> None:
    """It leaves as soon as the upstream was asked."""


async def the_head(client: Client, asked: Asked) -> None:
    """It has seen the status."""
    await client.head()


async def a_few(client: Client, asked: Asked) -> None:
    """It has seen some events."""
    await client.head()
    for _ in range(3):
        await client.chunk()


async def until_blocked(client: Client, asked: Asked) -> None:
    """It takes nothing more until the upstream is stuck."""
    await client.head()
    await asked.blocked.wait()


@dataclass(frozen=True)
class Scene:
    """What is going on when the client leaves."""

    script: Script
    reads: Reads
    fault: dict[str, object] | None = None
    request: bytes = ask()


SCENES = {
    "upstream silent": Scene(silent, nothing),
    "after the head": Scene(head_only, the_head),
    "between events": Scene(some, a_few),
    "streaming": Scene(endless, a_few),
    "client does not read": Scene(endless, until_blocked),
    "body still being sent": Scene(silent, nothing, request=LONG_BODY),
    "a fault stalls": Scene(some, a_few, {"type": "time.stall", "where": "token:3"}),
    "a fault stalls before an event": Scene(some, the_head, {"type": "time.first_token", "mean": "60s"}),
    "a fault holds much": Scene(endless, a_few, {"type": "time.stall", "where": "token:3"}),
    "a fault keeps gaps": Scene(endless, a_few, {"type": "time.inter_token", "mean": "1ms"}),
    "a fault lost the response": Scene(some, nothing, {"type": "conn.lost_response"}),
}


def close(client: Client) -> None:
    """A FIN; the kernel makes an RST of it where the client has not read all."""
    client.writer.transport.abort()


def slam(client: Client) -> None:
    """An RST."""
    reset(client.writer)


@asynccontextmanager
async def proxied(script: Script) -> AsyncIterator[tuple[Proxy, Journal, asyncio.Future[Asked]]]:
    """A proxy in front of an upstream that is asked once, told as soon as the head of a request is there."""
    told: asyncio.Future[Asked] = asyncio.get_running_loop().create_future()
    playing: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        told.set_result(asked := Asked(reader, writer))
        with suppress(ConnectionError):
            await script(asked)

    def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        playing.add(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    journal = Journal()
    spec = ListenerSpec("a", "127.0.0.1:0", f"http://{host}:{port}")
    try:
        async with Proxy([spec], record=journal.add, limits=Limits(stop_s=0.2)) as proxy:
            yield proxy, journal, told
    finally:
        server.close()
        if told.done():
            told.result().writer.transport.abort()
        await asyncio.gather(*playing)


async def lateness_s(until: asyncio.Future[float]) -> float:
    """How late the loop was in all, up to then."""
    late_s = 0.0
    while not until.done():
        due = time.monotonic() + BEAT_S
        await asyncio.sleep(BEAT_S)
        late_s += max(0.0, time.monotonic() - due)
    return late_s


async def measure(scene: Scene, leave: Callable[[Client], None]) -> tuple[float, float]:
    """Seconds from the client's close to the upstream's end, and how late our own loop was meanwhile."""
    async with proxied(scene.script) as (proxy, journal, told), asyncio.timeout(30):
        if scene.fault is not None:
            rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": scene.fault})
            proxy.apply([rule], owner="test", lease_s=60, seed=1)
        client = await Client.connect(proxy.urls["a"], limit=1024)
        client.writer.write(scene.request)
        asked = await told
        ended = asyncio.ensure_future(asked.ended_at())
        await scene.reads(client, asked)
        left_at = time.monotonic()
        leave(client)
        late_s = await lateness_s(ended)
        record = await journal.exchange()

    assert record.sent.ended == "gone"
    return ended.result() - left_at, late_s


@pytest.mark.parametrize("leave", [close, slam])
@pytest.mark.parametrize("scene", SCENES)
async def test_an_upstream_is_freed_within_100_ms(scene: str, leave: Callable[[Client], None]) -> None:
    """From the close of the client to the end that the upstream sees; a client that left is not drained for."""
    await within_100_ms(lambda: measure(SCENES[scene], leave))


async def within_100_ms(measured: Callable[[], Awaitable[tuple[float, float]]]) -> None:
    """Fail for what took longer by its own fault; repeat what our own loop may have made late."""
    for _ in range(TIMES):
        took_s, late_s = await measured()
        if took_s <= FREED_S:
            return
        assert took_s - late_s <= FREED_S, f"after {took_s * 1000:.0f} ms, {late_s * 1000:.0f} ms of them our loop's"
    pytest.fail(f"after {took_s * 1000:.0f} ms; the loop was blocked for {late_s * 1000:.0f} ms, every time")


PIPELINED = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * 100
"""More than may wait for the answer to the first."""


async def departure(request: bytes, leave: Callable[[Client], None]) -> tuple[float, float]:
    """Seconds until a client is known to be gone that the proxy had ceased to read, and how late our own loop was."""
    async with proxied(silent) as (proxy, journal, told), asyncio.timeout(30):
        client = await Client.connect(proxy.urls["a"])
        client.writer.write(request)
        (asked, (connection,)) = await told, proxy._http["a"]._connections
        while not connection._paused:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(BEAT_S)
        gone = asyncio.ensure_future(gone_at(journal))
        left_at = time.monotonic()
        leave(client)
        late_s = await lateness_s(gone)
        assert proxy.open_exchanges == 0
        assert await asked.ended_at()
    return gone.result() - left_at, late_s


async def gone_at(journal: Journal) -> float:
    """When the first exchange ended, with a client that left."""
    record = await journal.exchange()
    assert record.sent.ended == "gone"
    return time.monotonic()


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="this system does not tell")
@pytest.mark.parametrize(
    ("request_", "leave"),
    [
        pytest.param(PIPELINED, close, id="pipelined requests, close"),
        pytest.param(PIPELINED, slam, id="pipelined requests, slam"),
        pytest.param(LONG_BODY * 4, slam, id="a body that nobody takes, slam"),  # a FIN would be stuck behind it
    ],
)
async def test_a_client_that_is_not_read_leaves_all_the_same(request_: bytes, leave: Callable[[Client], None]) -> None:
    """Its FIN waits behind what it sent and the proxy does not read for now; within 100 ms its upstream is free."""
    await within_100_ms(lambda: departure(request_, leave))


async def test_what_a_fault_ended_is_read_on_all_the_same() -> None:
    """The client of a cut answer may leave at once: its upstream is still counted for a while, by design."""
    async with proxied(some) as (proxy, journal, told):
        rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": {"type": "stream.fin", "where": "token:3"}})
        proxy.apply([rule], owner="test", lease_s=60, seed=1)
        client = await Client.connect(proxy.urls["a"])
        answer = await client.call(ask())
        client.close()
        asked = await told
        ended = asyncio.ensure_future(asked.ended_at())
        await client.writer.wait_closed()
        for _ in range(20):
            await call_soon()
        assert not ended.done()
        asked.writer.write(b"0\r\n\r\n")
        record = await journal.exchange()

    assert answer.ended == "fin"
    assert (record.sent.ended, record.received.ended, record.received.events) == ("fin", "end", 8)
    await ended


async def call_soon() -> None:
    """Let all that is ready have its turn."""
    await asyncio.sleep(0)
