"""Bytes in TLS: a TCP listener with a certificate, an upstream at ``tls://``, and toxics between them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from chaosproxy.journal.traffic import ConnectionRecord, FaultHit
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.certificates import server_context
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.tls_kit import papers
from tests.functional.wire_kit import Journal

FILES = papers()


@asynccontextmanager
async def secured_port(ca: str | None = None) -> AsyncIterator[tuple[Proxy, Journal]]:
    """TLS on both sides of a proxy, in front of a server that echoes."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(4096):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_context(FILES.pair, alpn=()))
    upstream = f"tls://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    journal, spec = Journal(), ListenerSpec("db", "127.0.0.1:0", upstream, tls=FILES.pair)
    try:
        async with Proxy([spec], record=journal.add, limits=Limits(stop_s=0.1), ca=ca) as proxy:
            yield proxy, journal
    finally:
        server.close()


async def connect(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As a client that trusts the listener's certificate."""
    host, _, port = proxy.urls["db"].removeprefix("tls://").partition(":")
    return await asyncio.open_connection(host, int(port), ssl=FILES.trusting(), server_hostname="127.0.0.1")


def apply(proxy: Proxy, do: dict[str, object]) -> None:
    """One fault at the listener."""
    rule = Rule.model_validate({"id": "f", "listeners": ["db"], "do": do})
    proxy.apply([rule], owner="test", lease_s=60, seed=1)


async def test_bytes_pass() -> None:
    """Encrypted on both sides; the URL says so."""
    async with secured_port(FILES.ca) as (proxy, _):
        reader, writer = await connect(proxy)
        writer.write(b"x" * 300_000)

        assert proxy.urls["db"].startswith("tls://")
        assert await reader.readexactly(300_000) == b"x" * 300_000
        writer.close()


async def test_a_toxic_resets_below_the_encryption() -> None:
    """An RST, on a connection that was open already."""
    async with secured_port(FILES.ca) as (proxy, journal):
        reader, writer = await connect(proxy)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"

        apply(proxy, {"type": "toxic.reset_peer"})
        writer.write(b"again")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(5)
        assert [record.fault for record in journal.records if isinstance(record, FaultHit)] == ["f"]


async def test_limit_data_ends_without_a_goodbye() -> None:
    """A FIN in the middle of TLS is no clean end, and clients can tell."""
    async with secured_port(FILES.ca) as (proxy, _):
        apply(proxy, {"type": "toxic.limit_data", "bytes": 5})
        reader, writer = await connect(proxy)
        writer.write(b"hello, world")

        assert await reader.readexactly(5) == b"hello"
        with pytest.raises((ssl.SSLError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)


async def test_an_upstream_that_nobody_vouches_for() -> None:
    """Its client is let go, and the journal says why."""
    async with secured_port() as (proxy, journal):
        with suppress(ConnectionError, ssl.SSLError):  # we may know before the client's handshake is done
            reader, _ = await connect(proxy)
            assert await reader.read() == b""

        def ended(journal: Journal) -> list[ConnectionRecord]:
            return [record for record in journal.records if isinstance(record, ConnectionRecord)]

        await journal.until(lambda journal: bool(ended(journal)))
        assert ended(journal)[0].ended == "refused"
        assert "certificate is not accepted" in str(ended(journal)[0].error)


async def test_an_upstream_that_is_silent_in_its_handshake() -> None:
    """The client's own handshake goes on. A connection that is cut then is over for good, and leaves its record."""
    asked: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read(1)
        asked.put_nowait(writer)

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    upstream = f"tls://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    journal, spec = Journal(), ListenerSpec("db", "127.0.0.1:0", upstream, tls=FILES.pair)
    async with server, Proxy([spec], record=journal.add, limits=Limits(stop_s=0.1)) as proxy:
        reader, writer = await connect(proxy)
        silent = await asyncio.wait_for(asked.get(), 20)
        apply(proxy, {"type": "toxic.down"})
        with suppress(OSError):
            await reader.read()
        writer.close()
        await journal.until(lambda all_: any(isinstance(record, ConnectionRecord) for record in all_.records))
        (standing,) = proxy.standing()
        silent.close()

    assert (standing.connections_opened, standing.connections_open) == (1, 0)
