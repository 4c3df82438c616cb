"""Clients that hold a place and do nothing with it."""

from __future__ import annotations

import asyncio

import pytest

from chaosproxy.proxy.limits import Limits
from tests.functional.test_proxy_abuse import refusals, until
from tests.functional.wire_kit import (
    PATH,
    SSE_HEAD,
    Client,
    Peer,
    Request,
    answers,
    ask,
    bench,
    call,
    chunk,
    plain,
)

HEAD = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"


async def trickle(client: Client, size: int) -> None:
    """Send that many bytes, one after the other, until the other end has enough."""
    for _ in range(size):
        if client.reader.at_eof() or client.writer.is_closing():
            return
        client.writer.write(b"x")
        await asyncio.sleep(0.01)


async def test_a_body_that_trickles() -> None:
    """However steadily it comes: after ``body_s`` its client is told so, and nothing was asked."""
    async with bench(answers(plain(b"")), Limits(body_s=0.3, stop_s=0.1, linger_s=0.1)) as at:
        client = await Client.connect(at.url)
        await client.send((HEAD % 100_000).encode())
        trickling = asyncio.ensure_future(trickle(client, 100_000))
        answer = await client.read()
        trickling.cancel()
        client.writer.transport.abort()
        await until(lambda: at.proxy._capacity._open == 0)

    assert (answer.status, at.upstream.requests) == (408, [])
    assert "x-chaosproxy-error: request_timeout" in answer.fields
    assert refusals(at.journal) == ["1 x request_timeout"]


async def test_a_large_upload_may_take_its_time() -> None:
    """What is longer than ``body_bytes`` goes on at once, so only silence counts."""
    async with bench(answers(plain(b"")), Limits(body_s=0.2, body_bytes=10, stop_s=0.1)) as at:
        client = await Client.connect(at.url)
        await client.send((HEAD % 61).encode() + b"12345678901")
        await trickle(client, 50)
        answer = await client.read()
        client.close()

    assert answer.status == 200
    assert len(at.upstream.requests[0].body) == 61


async def endless(request: Request, peer: Peer) -> None:
    """Sends as long as somebody takes it."""
    await peer.send(SSE_HEAD)
    while True:
        await peer.send(chunk(b"data: " + b"x" * 60_000 + b"\n\n"))


async def test_a_client_that_takes_nothing() -> None:
    """After ``idle_s`` without a byte taken it is cut off, and so is its upstream."""
    async with bench(endless, Limits(idle_s=0.3, drain_s=0.1, stop_s=0.1)) as at:
        client = await Client.connect(at.url, limit=1024)
        await client.send(ask())
        await until(lambda: at.proxy._capacity._open == 1)
        await until(lambda: at.proxy._capacity._open == 0 and at.proxy.open_exchanges == 0)
        client.writer.transport.abort()

    assert refusals(at.journal) == ["1 x answer_not_taken"]


async def test_a_client_that_takes_a_little_now_and_then() -> None:
    """It stays as long as it takes anything."""
    size = 8 * 1024 * 1024
    async with bench(answers(plain(bytes(size))), Limits(idle_s=3, stop_s=0.1)) as at:
        client = await Client.connect(at.url, limit=64 * 1024)
        await client.send(ask(stream=False))
        await client.head()
        got = 0
        while got < size:
            got += len(await client.reader.read(256 * 1024))
            await asyncio.sleep(0.05)
        client.close()

    assert got == size


async def test_a_client_that_leaves_its_last_answer_lying() -> None:
    """An idle connection that is closed with an answer that nobody takes is not kept open for it."""
    async with bench(answers(plain(bytes(8 * 1024 * 1024))), Limits(keepalive_s=0.2, idle_s=0.3, stop_s=0.1)) as at:
        client = await Client.connect(at.url, limit=1024)
        await client.send(ask(stream=False))
        await until(lambda: at.proxy._capacity._open == 1)
        await until(lambda: at.proxy._capacity._open == 0)
        client.writer.transport.abort()


async def test_many_idle_connections() -> None:
    """One that is too many is told so; those that say nothing are closed after ``keepalive_s``."""
    async with bench(answers(plain(b"{}")), Limits(connections=5, keepalive_s=0.5, stop_s=0.1)) as at:
        idle = [await Client.connect(at.url) for _ in range(5)]
        await until(lambda: at.proxy._capacity._open == 5)
        answer = await call(at.url, ask(stream=False))
        ends = await asyncio.gather(*(client.reader.read() for client in idle))
        await until(lambda: at.proxy._capacity._open == 0)
        again = await call(at.url, ask(stream=False))
        for client in idle:
            client.close()

    assert (answer.status, again.status) == (503, 200)
    assert "x-chaosproxy-error: connections" in answer.fields
    assert ends == [b""] * 5


@pytest.mark.parametrize("beginning", [b"", b"\r\n", b"G"])
async def test_a_head_that_never_comes(beginning: bytes) -> None:
    """One that has begun has ``head_s``; one that has not is an idle connection."""
    async with bench(answers(plain(b"{}")), Limits(head_s=0.2, keepalive_s=0.4, linger_s=0.1, stop_s=0.1)) as at:
        client = await Client.connect(at.url)
        await client.send(beginning)
        answer = await client.reader.read()
        client.close()
        await until(lambda: at.proxy._capacity._open == 0)

    assert answer.startswith(b"HTTP/1.1 408 ") is (beginning == b"G")
