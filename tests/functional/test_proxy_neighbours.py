"""Two listeners of one proxy: what one upstream fails to do never delays the requests of the other."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from statistics import median
from typing import Any

import pytest

from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import Client, Journal, Peer, Request, ask, plain, upstream

HANGING = 300
"""Requests at the first listener that get no answer."""
ROUNDS = 40
TIMES = 5

HEALTHY = plain(b"{}", "200 OK", "Connection: close")
"""The neighbour needs a new connection for each request, and its name is looked up each time."""

NAME = "slow-names.invalid"


@asynccontextmanager
async def never_answers(_: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Accepts and reads, and says nothing."""

    async def play(request: Request, peer: Peer) -> None:
        await peer.reader.read()

    async with upstream(play) as silent:
        yield silent.url


@asynccontextmanager
async def accepts_nothing(_: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A listening socket whose queue is full: further connections are not even established."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=0)
    address = listening.getsockname()
    waiting: list[socket.socket] = []
    try:
        while True:
            sock = socket.socket()
            waiting.append(sock)
            sock.settimeout(0.2)
            try:
                sock.connect(address)
            except TimeoutError:
                break
        yield "http://{}:{}".format(*address)
    finally:
        for sock in (listening, *waiting):
            sock.close()


@asynccontextmanager
async def resolves_never(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A name whose resolution hangs."""
    released = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *words: Any, **named: Any) -> Any:
        if host == NAME:
            released.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return real(host, *words, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        yield f"http://{NAME}:1"
    finally:
        released.set()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for a state of the proxy."""
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


Hang = Callable[[pytest.MonkeyPatch], AbstractAsyncContextManager[str]]


async def answer(request: Request, peer: Peer) -> None:
    """One answer per connection."""
    await peer.send(HEALTHY)
    peer.writer.close()


async def times_s(url: str) -> list[float]:
    """How long each of some requests took, one after the other, on one client connection."""
    client = await Client.connect(url)
    took_s = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        got = await client.call(ask(stream=False))
        took_s.append(time.perf_counter() - began)
        assert got.status == 200
    client.close()
    return took_s


@pytest.mark.parametrize("hang", [never_answers, accepts_nothing, resolves_never])
async def test_a_dead_upstream_delays_no_neighbour(hang: Hang, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 300 requests stuck at the first listener the second answers as fast as it did alone."""
    async with hang(monkeypatch) as stuck, upstream(answer) as healthy:
        specs = [
            ListenerSpec("stuck", "127.0.0.1:0", stuck),
            ListenerSpec("well", "127.0.0.1:0", healthy.url.replace("127.0.0.1", "localhost")),
        ]
        async with Proxy(specs, record=Journal().add, limits=Limits(connect_s=60, stop_s=0.1)) as proxy:
            await times_s(proxy.urls["well"])
            alone_s = median(await times_s(proxy.urls["well"]))
            clients = [await Client.connect(proxy.urls["stuck"]) for _ in range(HANGING)]
            for client in clients:
                await client.send(ask(stream=False))
            await until(lambda: proxy.open_exchanges == HANGING)
            async with asyncio.timeout(60):
                for _ in range(TIMES):  # the machine may be busy for a while
                    beside_s = median(await times_s(proxy.urls["well"]))
                    if beside_s < 3 * alone_s + 0.01:
                        break
            still_open = proxy.open_exchanges
            for client in clients:
                client.close()
            await until(lambda: proxy.open_exchanges == 0)

    assert still_open == HANGING
    assert beside_s < 3 * alone_s + 0.01
