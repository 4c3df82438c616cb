"""What is over is freed at once: a long-running proxy collects its garbage rarely, and bodies of megabytes add up."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator

import pytest

from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from tests.functional.wire_kit import Bench, Client, Peer, Request, answers, ask, bench, call, plain

HELD = {"Account", "Arriving", "Pump", "Question", "RawPipe", "Tunnel", "_HttpAsking"}
"""Classes of what belongs to one exchange, and holds its bytes."""
LARGE = b"x" * 100_000


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Nothing is freed but by itself."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def left_over() -> Counter[str]:
    """What is still there."""
    return Counter(type(each).__name__ for each in gc.get_objects() if type(each).__name__ in HELD)


async def until_freed(at: Bench, before: Counter[str]) -> None:
    """Wait until the connections are gone, and then for nothing more than some turns of the loop."""
    async with asyncio.timeout(20):
        while at.proxy.standing()[0].connections_open:  # noqa: ASYNC110 - nobody is told of the last one
            await asyncio.sleep(0.01)
    for _ in range(20):
        await asyncio.sleep(0)
    assert left_over() - before == {}


async def test_a_request_that_is_larger_than_what_is_kept() -> None:
    """The part that is kept goes with its exchange, which began before the rest had come."""
    before = left_over()
    head = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
    async with bench(answers(plain(b"{}")), Limits(body_bytes=10_000, stop_s=0.2)) as at:
        client = await Client.connect(at.url)
        await client.send(head + LARGE)
        async with asyncio.timeout(20):
            while not at.proxy.open_exchanges:  # noqa: ASYNC110 - the upstream gets it only when it is whole
                await asyncio.sleep(0.01)
        assert (await client.call(LARGE)).status == 200
        client.close()
        await until_freed(at, before)


async def test_a_tunnel() -> None:
    """Both of its ends, when one is lost."""
    before = left_over()

    async def echo(request: Request, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await peer.send(await peer.reader.readexactly(5))

    async with bench(echo) as at:
        client = await Client.connect(at.url)
        await client.send(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert " 101 " in await client.head()
        await client.send(b"hello")
        assert await client.reader.readexactly(5) == b"hello"
        client.close()
        await until_freed(at, before)


async def test_an_answer_behind_toxics() -> None:
    """Its account goes with its record."""
    before = left_over()
    slow = Rule.model_validate({"id": "slow", "listeners": ["a"], "do": {"type": "toxic.latency", "latency": "5ms"}})
    async with bench(answers(plain(LARGE))) as at:
        at.proxy.apply([slow], owner="test", lease_s=60, seed=1)
        assert (await call(at.url, ask(stream=False))).body == LARGE
        await until_freed(at, before)
