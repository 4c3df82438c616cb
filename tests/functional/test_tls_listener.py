"""A TLS listener is the plain one behind TLS: same bytes, same faults, same ends; and handshakes that fail."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
import pytest
from aiohttp import web

from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.asking_kit import on_each_loop
from tests.functional.tls_kit import TlsClient, apply, papers, secured
from tests.functional.wire_kit import (
    SSE_HEAD,
    Bench,
    Peer,
    Request,
    answers,
    ask,
    bench,
    chunk,
    events,
    plain,
    stream,
)

LAST = "Connection: close\r\n"
"""The client asks for no further request, so that every case ends by itself."""


async def over_tcp(at: Bench, request: bytes) -> tuple[bytes, str]:
    """What a plain client gets, and how it ends."""
    reader, writer = await asyncio.open_connection(*at.url.removeprefix("http://").split(":"))
    writer.write(request)
    got, ended = b"", "fin"
    try:
        while data := await reader.read(65536):
            got += data
    except ConnectionResetError:
        ended = "reset"
    writer.close()
    return got, ended


async def over_tls(at: Bench, request: bytes) -> tuple[bytes, str]:
    """The same of a TLS client."""
    client = await TlsClient.connect(at.url)
    await client.send(request)
    got = await client.read_all()
    client.close()
    return got, client.ended


FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "none": ({"type": "sse.drop", "each": 99}, "notified"),
    "truncate": ({"type": "stream.truncate", "where": "token:3"}, "notified"),
    "truncate close": ({"type": "stream.truncate", "where": "token:3", "framing": "close"}, "notified"),
    "truncate length": ({"type": "stream.truncate", "where": "token:3", "framing": "length"}, "notified"),
    "fin": ({"type": "stream.fin", "where": "token:3"}, "fin"),
    "reset": ({"type": "stream.reset", "where": "token:3"}, "reset"),
    "malformed chunk": ({"type": "stream.chunk_size", "where": "token:3"}, "notified"),
    "longer length": ({"type": "stream.length", "delta": 10}, "notified"),
    "unclean fin": ({"type": "stream.unclean_end", "how": "fin"}, "fin"),
    "unclean reset": ({"type": "stream.unclean_end", "how": "reset"}, "reset"),
    "partial head": ({"type": "conn.partial_head"}, "fin"),
    "status": ({"type": "http.status", "status": 503}, "notified"),
    "refuse after request": ({"type": "conn.refuse", "stage": "after_request"}, "reset"),
}


@pytest.mark.parametrize("name", FAULTS)
@on_each_loop
async def test_faults_are_the_same_behind_tls(name: str) -> None:
    """The very bytes of the plain listener, and its end: an RST is one, and a FIN in mid-body has no close_notify."""
    do, expected_end = FAULTS[name]
    request = ask(headers=LAST)
    async with bench(answers(stream(events(8)))) as at:
        apply(at, do)
        in_the_clear, plain_end = await over_tcp(at, request)
    async with secured(answers(stream(events(8)))) as at:
        apply(at, do)
        got, ended = await over_tls(at, request)
        record = await at.journal.exchange()

    assert got == in_the_clear
    assert ended == expected_end
    assert plain_end == ("reset" if expected_end == "reset" else "fin")
    assert record.listener == "a"


@on_each_loop
async def test_a_clean_end_is_a_close_notify_and_then_a_fin() -> None:
    """A client that waits for either goes on."""
    async with secured(answers(plain(b"hello"))) as at:
        client = await TlsClient.connect(at.url)
        await client.send(ask(headers=LAST))
        got = await client.read_all()
        followed = await client.fin_follows()
        client.close()

    assert got.endswith(b"hello")
    assert (client.ended, followed) == ("notified", True)


@on_each_loop
async def test_requests_follow_each_other_on_one_connection() -> None:
    """Also two in one record, and one in many."""
    async with secured(answers(plain(b"hello"))) as at:
        client = await TlsClient.connect(at.url)
        await client.send(ask() + ask())
        for _ in range(2):
            await client.read_until(b"hello")
        for number, byte in enumerate(ask(headers=LAST)):
            await client.send(bytes([byte]))
            if number % 16 == 0:
                await asyncio.sleep(0)
        last = await client.read_all()
        client.close()

    assert last.endswith(b"hello")
    assert len(at.upstream.requests) == 3
    assert (at.upstream.requests[0].body, client.ended) == (at.upstream.requests[2].body, "notified")


@pytest.mark.parametrize(
    ("offered", "agreed"), [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (["h2"], None), ([], None)]
)
@on_each_loop
async def test_http_1_1_is_all_that_is_agreed_on(offered: list[str], agreed: str | None) -> None:
    """A client that can do no other finds that nothing was agreed on."""
    context = papers().trusting()
    if offered:
        context.set_alpn_protocols(offered)
    async with secured(answers(plain(b""))) as at:
        client = await TlsClient.connect(at.url, context)
        client.close()

    assert client.tls.selected_alpn_protocol() == agreed
    assert client.tls.version() in ("TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@on_each_loop
async def test_large_bodies_pass_both_ways(version: ssl.TLSVersion) -> None:
    """Many records, an upload that is streamed on, and a client that reads late: the upstream is paused meanwhile."""
    size = 8 * 1024 * 1024

    async def echo(request: Request, peer: Peer) -> None:
        await peer.send(plain(request.body))

    context = papers().trusting()
    context.minimum_version = context.maximum_version = version
    body = bytes(range(256)) * (size // 256)
    async with secured(echo) as at:
        client = await TlsClient.connect(at.url, context)
        head = f"POST /v1/files HTTP/1.1\r\nHost: h\r\n{LAST}Content-Length: {size}\r\n\r\n".encode()
        sending = asyncio.create_task(client.send(head + body))
        await asyncio.sleep(0.05)
        got = await client.read_all()
        await sending
        client.close()

    assert got.partition(b"\r\n\r\n")[2] == body
    assert client.ended == "notified"


@on_each_loop
async def test_a_slow_client_pauses_its_upstream() -> None:
    """A few buffers are filled, not the whole body."""
    total, sent = 64 * 1024 * 1024, 0

    async def play(request: Request, peer: Peer) -> None:
        nonlocal sent
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while sent < total:
            await peer.send(b"x" * 65536)
            sent += 65536

    async with secured(play) as at:
        client = await TlsClient.connect(at.url)
        await client.send(ask())
        await client.read_some()
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        stuck_at = sent
        client.close()

    assert 0 < stuck_at < total / 2


@pytest.mark.parametrize("way", ["close_notify", "fin", "reset"])
@on_each_loop
async def test_a_client_that_leaves_frees_its_upstream(way: str) -> None:
    """However it says so."""
    gone = asyncio.Event()

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + chunk(events(1)[0]))
        await peer.reader.read()
        gone.set()

    async with secured(play) as at:
        client = await TlsClient.connect(at.url)
        await client.send(ask())
        await client.read_until(b"data:")
        if way == "close_notify":
            await client.say_goodbye()
        elif way == "fin":
            client.writer.write_eof()
        else:
            client.writer.transport.abort()
        async with asyncio.timeout(5):
            await gone.wait()
        record = await at.journal.exchange()
        client.close()

    assert record.sent.ended == "gone"


@on_each_loop
async def test_a_websocket_over_tls() -> None:
    """A 101, then frames in both directions, then the close handshake."""

    async def talk(request: web.Request) -> web.WebSocketResponse:
        said = web.WebSocketResponse()
        await said.prepare(request)
        async for message in said:
            await said.send_str(message.data.upper())
        return said

    app = web.Application()
    app.router.add_get("/ws", talk)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    spec = ListenerSpec("a", "127.0.0.1:0", f"http://127.0.0.1:{runner.addresses[0][1]}", tls=papers().pair)
    try:
        async with Proxy([spec], record=lambda _: None, limits=Limits(stop_s=0.2)) as proxy:
            connector = aiohttp.TCPConnector(ssl=papers().trusting())
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                session.ws_connect(f"{proxy.urls['a']}/ws") as socket_,
            ):
                await socket_.send_str("hello")
                answer = await socket_.receive_str()
    finally:
        await runner.cleanup()

    assert answer == "HELLO"
