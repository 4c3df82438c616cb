"""What a fault did leaves no garbage: no object of ours is in a cycle when exchanges and connections are over."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest

from benchmarks.soak.changes import SETTINGS
from chaosproxy.faults import REGISTRY
from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import Client, Peer, Request, ask, events, stream, upstream

LEAVES_S = 0.3
"""A client that gets nothing for so long leaves."""
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
MESSAGE = b"\x81\x02hi"
CLOSE = b"\x88\x00"


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Nothing is freed but by itself, and what is not is kept to be counted."""
    gc.disable()
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


async def speak(request: Request, peer: Peer) -> None:
    """A stream, or a WebSocket that says two messages and goodbye."""
    if request.line.startswith("GET /ws"):
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await peer.send(MESSAGE + MESSAGE + CLOSE)
        peer.writer.close()
    else:
        await peer.send(stream(events(8)))


@asynccontextmanager
async def proxied() -> AsyncIterator[Proxy]:
    """A proxy with a listener for HTTP and one for bytes, before one upstream."""
    async with upstream(speak) as server_side:
        specs = [
            ListenerSpec("http", "127.0.0.1:0", server_side.url),
            ListenerSpec("bytes", "127.0.0.1:0", server_side.url.replace("http", "tcp")),
        ]
        limits = Limits(stop_s=0.2, drain_s=0.1, reset_s=0.1)
        async with Proxy(specs, record=lambda _: None, limits=limits) as proxy:
            yield proxy


async def visit(url: str, request: bytes) -> None:
    """Ask twice on one connection, and leave when it is over or silent."""
    with suppress(OSError, EOFError, ValueError):
        async with asyncio.timeout(20):
            client = await Client.connect(url)
        try:
            async with asyncio.timeout(LEAVES_S):
                await client.call(request)
                await client.call(request)
        finally:
            client.close()


async def until_over(proxy: Proxy) -> None:
    """Wait until nobody is connected and nothing is under way."""
    async with asyncio.timeout(30):
        while proxy.waiting_timers or any(each.open or each.connections_open for each in proxy.standing()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    for _ in range(20):
        await asyncio.sleep(0)


def garbage() -> Counter[str]:
    """Objects of ours that only the collector would have freed, by class."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    kinds = [type(each) for each in gc.garbage]
    return Counter(kind.__qualname__ for kind in kinds if kind.__module__.startswith("chaosproxy."))


@pytest.mark.parametrize("fault_type", [fault.type for fault in REGISTRY])
async def test_a_fault_leaves_no_garbage(fault_type: str) -> None:
    """Neither of streams, nor of WebSockets, nor of bytes."""
    values = parse_flat(f"{fault_type} {SETTINGS.get(fault_type, ('',))[0]}")
    kind = next(fault for fault in REGISTRY if fault.type == fault_type)
    on_bytes = Rule.model_validate({"id": "x", "listeners": ["http"], **values}).on_connections
    listeners = ["http", "bytes"] if on_bytes or kind.type == "partition" else ["http"]
    rule = Rule.model_validate({**values, "id": "fault", "listeners": listeners})
    async with proxied() as proxy:
        proxy.apply([rule], owner="test", lease_s=60, seed=1)
        gc.collect()  # what other tests left
        urls = proxy.urls
        visits = [(urls["http"], ask()), (urls["http"], UPGRADE), (urls["bytes"], ask())]
        await asyncio.gather(*(visit(url, request) for url, request in visits))
        proxy.clear("test")
        await asyncio.gather(*(visit(url, request) for url, request in visits))
        await until_over(proxy)
        left = garbage()
    assert left == {}
