"""TLS listeners: handshakes that fail, gates before them, limits."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Any

import pytest
import structlog.testing

from chaosproxy.proxy.limits import Limits
from tests.functional.asking_kit import on_each_loop
from tests.functional.tls_kit import TlsClient, apply, papers, refusals, secured
from tests.functional.wire_kit import (
    DONE,
    Bench,
    answers,
    ask,
    events,
    plain,
    stream,
)

LAST = "Connection: close\r\n"
KINDS = ("tls_plain_http", "tls_distrusted", "tls_timeout", "tls_left", "tls_handshake")


async def plain_http(at: Bench) -> bytes:
    """A client whose base URL begins with http://."""
    reader, writer = await asyncio.open_connection(*at.url.removeprefix("https://").split(":"))
    writer.write(b"GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n")
    try:
        return await reader.read()
    finally:
        writer.close()


async def garbage(at: Bench) -> bytes:
    """No TLS at all."""
    reader, writer = await asyncio.open_connection(*at.url.removeprefix("https://").split(":"))
    writer.write(b"\x00\x01\x02SSH-2.0-what\r\n" * 20)
    try:
        return await reader.read()
    finally:
        writer.close()


async def no_shared_cipher(at: Bench) -> bytes:
    """A client that only speaks what our key cannot."""
    context = papers().trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # the certificate's key is no RSA key
    with pytest.raises(ssl.SSLError):
        await TlsClient.connect(at.url, context)
    return b""


async def distrusting(at: Bench) -> bytes:
    """A client that does not know our authority."""
    with pytest.raises(ssl.SSLCertVerificationError):
        await TlsClient.connect(at.url, ssl.create_default_context())
    return b""


async def silent(at: Bench) -> bytes:
    """Begins a handshake and says no more."""
    reader, writer = await asyncio.open_connection(*at.url.removeprefix("https://").split(":"))
    writer.write(b"\x16\x03\x01")
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def leaving(at: Bench) -> bytes:
    """Begins a handshake and leaves."""
    _, writer = await asyncio.open_connection(*at.url.removeprefix("https://").split(":"))
    writer.write(b"\x16\x03\x01")
    await writer.drain()
    writer.close()
    return b""


@pytest.mark.parametrize(
    ("meet", "kind"),
    [
        (plain_http, "tls_plain_http"),
        (garbage, "tls_handshake"),
        (no_shared_cipher, "tls_handshake"),
        (distrusting, "tls_distrusted"),
        (silent, "tls_timeout"),
        (leaving, "tls_left"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
@on_each_loop
async def test_a_handshake_that_fails_is_counted_and_explained(meet: Any, kind: str) -> None:
    """The journal has its kind, the log its reason, once; others are served meanwhile, and no traceback is printed."""
    with structlog.testing.capture_logs() as logs:
        async with secured(answers(plain(b"hello")), Limits(handshake_s=0.1, stop_s=0.2)) as at:
            other = await TlsClient.connect(at.url)
            said = await meet(at)
            await at.journal.until(lambda _: kind in refusals(at))
            await meet(at)
            await other.send(ask(headers=LAST))
            served = await other.read_all()
            other.close()

    assert served.endswith(b"hello")
    assert f"1 x {kind}" in refusals(at)
    assert [line["event"] for line in logs if line["event"] in KINDS] == [kind]
    assert "KEY" not in repr(logs)
    if kind == "tls_plain_http":
        assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"must begin with https://" in said


@on_each_loop
async def test_a_probe_that_sends_nothing_is_no_news() -> None:
    """Load balancers look whether a port is open; that spoils no run."""
    async with secured(answers(plain(b"hello"))) as at:
        _, writer = await asyncio.open_connection(*at.url.removeprefix("https://").split(":"))
        writer.close()
        await writer.wait_closed()
        client = await TlsClient.connect(at.url)
        await client.send(ask(headers=LAST))
        await client.read_all()
        client.close()

    assert refusals(at) == ""


@on_each_loop
async def test_a_connection_counts_before_its_handshake() -> None:
    """One that only connects takes the last place; the next is told so, over TLS."""
    async with secured(answers(plain(b"hello")), Limits(connections=1, stop_s=0.2)) as at:
        reader, writer = await asyncio.open_connection(*at.url.removeprefix("https://").split(":"))
        client = await TlsClient.connect(at.url)
        await client.send(ask())
        refused = await client.read_all()
        client.close()
        writer.close()
        del reader

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"x-chaosproxy-error: connections" in refused


@pytest.mark.parametrize(
    ("do", "ends", "refused"),
    [
        ({"type": "conn.refuse"}, "notified", ConnectionRefusedError),
        ({"type": "conn.reset", "stage": "accept"}, "reset", ConnectionResetError),
        ({"type": "conn.close", "stage": "accept"}, "notified", ConnectionAbortedError),
        ({"type": "partition", "mode": "reset"}, "reset", ConnectionResetError),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else None,
)
@on_each_loop
async def test_a_gate_closes_before_the_handshake(
    do: dict[str, object], ends: str, refused: type[ConnectionError]
) -> None:
    """Idle connections end, those in a handshake, too, and new ones get no ServerHello."""
    async with secured(answers(plain(b"hello"))) as at:
        idle = await TlsClient.connect(at.url)
        half_reader, half_writer = await asyncio.open_connection(*at.url.removeprefix("https://").split(":"))
        half_writer.write(b"\x16\x03\x01")
        await asyncio.sleep(0.05)
        apply(at, do)
        await idle.read_all()
        with suppress(ConnectionResetError):
            assert await half_reader.read() == b""
        with pytest.raises(refused):
            await TlsClient.connect(at.url)
        at.proxy.clear()
        again = await TlsClient.connect(at.url)
        await again.send(ask(headers=LAST))
        answer = await again.read_all()
        for each in (idle, again):
            each.close()
        half_writer.close()

    assert idle.ended == ends
    assert answer.endswith(b"hello")


@on_each_loop
async def test_the_proxy_stops_while_somebody_shakes_hands() -> None:
    """At once, and without a word in the journal: it was us who ended it."""
    async with secured(answers(plain(b""))) as at:
        reader, writer = await asyncio.open_connection(*at.url.removeprefix("https://").split(":"))
        writer.write(b"\x16\x03\x01")
        await asyncio.sleep(0.05)
        async with asyncio.timeout(1):
            await at.proxy.stop()
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()

    assert refusals(at) == ""


@on_each_loop
async def test_garbage_after_the_handshake_ends_that_connection_only() -> None:
    """The others do not notice."""
    async with secured(answers(stream(events(8)))) as at:
        good, bad = await TlsClient.connect(at.url), await TlsClient.connect(at.url)
        bad.writer.write(b"GET / HTTP/1.1\r\n\r\n" * 100)
        with suppress(ssl.SSLError):
            await bad.read_all()
        await good.send(ask(headers=LAST))
        got = await good.read_all()
        good.close()
        bad.close()

    assert DONE in got
    assert len(at.upstream.requests) == 1


async def test_an_abandoned_handshake_leaves_nothing_open() -> None:
    """Hundreds of clients that never finish: every socket is closed after the deadline."""
    async with secured(answers(plain(b"")), Limits(handshake_s=0.1, stop_s=0.2)) as at:
        host, port = at.url.removeprefix("https://").split(":")
        clients = [socket.create_connection((host, int(port))) for _ in range(200)]
        for client in clients:
            client.setblocking(False)
        loop = asyncio.get_running_loop()
        ends = await asyncio.gather(*(loop.sock_recv(client, 1) for client in clients), return_exceptions=True)
        for client in clients:
            client.close()
        await at.journal.until(lambda _: "tls_timeout" in refusals(at))

    assert all(end == b"" or isinstance(end, ConnectionResetError) for end in ends)
