"""After a 101 the proxy carries bytes: WebSockets pass."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import Journal, answers, bench, plain


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=["chat"])
    await socket.prepare(request)
    async for message in socket:
        if message.data == "close":
            await socket.close(code=4001)
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(message.data.upper())
        else:
            await socket.send_bytes(message.data[::-1])
    return socket


@asynccontextmanager
async def _echo_behind_proxy(journal: Journal) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/ws", _echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    spec = ListenerSpec("a", ":0", f"http://127.0.0.1:{runner.addresses[0][1]}")
    async with Proxy([spec], record=journal.add) as proxy:
        yield proxy.urls["a"]
    await runner.cleanup()


async def test_a_websocket_passes() -> None:
    """Texts, large binaries both ways, the chosen subprotocol and the close code arrive."""
    journal = Journal()
    async with (
        _echo_behind_proxy(journal) as url,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/ws", protocols=["chat"], max_msg_size=0) as socket,
    ):
        assert socket.protocol == "chat"
        await socket.send_str("hello")
        assert await socket.receive_str() == "HELLO"
        large = bytes(range(256)) * 8192
        await socket.send_bytes(large)
        assert await socket.receive_bytes() == large[::-1]
        await socket.send_str("close")
        await socket.receive()
        assert socket.close_code == 4001
        record = await journal.exchange()

    assert (record.sent.status, record.sent.ended) == (101, "end")
    assert record.received.bytes > len(large)


async def test_a_client_that_leaves_ends_the_tunnel() -> None:
    """The upstream's side is closed, too."""
    journal = Journal()
    async with _echo_behind_proxy(journal) as url, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{url}/ws")
        await socket.send_str("x")
        await socket.receive_str()
        socket._response.close()
        record = await journal.exchange()

    assert record.received.ended == "end"


async def test_a_refused_upgrade_is_an_ordinary_answer() -> None:
    """The client sees the upstream's status, and the connection goes on."""
    async with bench(answers(plain(b"no", "426 Upgrade Required"))) as at, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="426"):
            await session.ws_connect(at.url)
        async with session.get(at.url) as answer:
            assert await answer.read() == b"no"


async def test_a_stopping_proxy_ends_tunnels() -> None:
    """Stop returns in time."""
    journal = Journal()
    async with aiohttp.ClientSession() as session:
        async with _echo_behind_proxy(journal) as url:
            socket = await session.ws_connect(f"{url}/ws")
        async with asyncio.timeout(5):
            await socket.receive()
