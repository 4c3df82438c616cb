"""Listeners whose traffic is not HTTP: bytes pass, toxics and partitions act, and each connection leaves a record."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from chaosproxy.errors import UserError
from chaosproxy.journal.explanation import explain_connection, find_connections
from chaosproxy.journal.lines import Narrator
from chaosproxy.journal.traffic import ConnectionRecord, FaultHit
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import Journal

GREETING = b"hello\n"


@dataclass
class Port:
    """A proxy in front of a server that echoes lines."""

    proxy: Proxy
    journal: Journal

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self.proxy.urls["db"].removeprefix("tcp://").partition(":")
        return await asyncio.open_connection(host, int(port))

    def apply(self, do: Mapping[str, object], lease_s: float = 60, **common: object) -> None:
        rule = Rule.model_validate({"id": "f", "listeners": ["db"], "do": do, **common})
        self.proxy.apply([rule], owner="test", lease_s=lease_s, seed=1)

    async def record(self) -> ConnectionRecord:
        """Of the first connection that ended."""

        def found(journal: Journal) -> list[ConnectionRecord]:
            return [record for record in journal.records if isinstance(record, ConnectionRecord)]

        await self.journal.until(lambda journal: bool(found(journal)))
        return found(self.journal)[0]

    @property
    def hits(self) -> list[FaultHit]:
        return [record for record in self.journal.records if isinstance(record, FaultHit)]


@asynccontextmanager
async def echo_port(connections: int | None = None) -> AsyncIterator[Port]:
    """A TCP listener in front of an echo server."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(4096):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    upstream = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    journal = Journal()
    limits = Limits(stop_s=0.1, connections=connections)
    try:
        async with Proxy([ListenerSpec("db", "127.0.0.1:0", upstream)], record=journal.add, limits=limits) as proxy:
            yield Port(proxy, journal)
    finally:
        server.close()


async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, words: bytes = GREETING) -> bytes:
    """What comes back."""
    writer.write(words)
    return await reader.readexactly(len(words))


async def ending(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int | bytes:
    """What still came before the FIN, or the number of the error."""
    try:
        return await reader.read()
    except OSError as error:
        return error.errno or 0
    finally:
        writer.close()


async def test_bytes_pass_and_the_connection_is_recorded() -> None:
    """Both ways, with who ended it."""
    async with echo_port() as at:
        reader, writer = await at.connect()
        assert await said(reader, writer) == GREETING
        writer.write_eof()
        assert await ending(reader, writer) == b""
        record = await at.record()

    assert at.proxy.urls["db"].startswith("tcp://127.0.0.1:")
    assert (record.upstream_bytes, record.downstream_bytes, record.ended) == (6, 6, "client")
    assert Narrator().tell(record) == "#1 connection: 6 bytes up, 6 bytes down, closed by the client"


async def test_half_closing_clients_get_their_answer() -> None:
    """What the client still has to get comes after its FIN."""
    async with echo_port() as at:
        at.apply({"type": "toxic.latency", "latency": 0.05})
        reader, writer = await at.connect()
        writer.write(GREETING)
        writer.write_eof()
        assert await ending(reader, writer) == GREETING


@pytest.mark.parametrize(
    ("do", "seen", "ended"),
    [
        ({"type": "toxic.reset_peer"}, errno.ECONNRESET, "reset"),
        ({"type": "toxic.timeout", "timeout": 0.05}, b"", "fin"),
        ({"type": "toxic.limit_data", "bytes": 9}, b"hel", "fin"),
        ({"type": "toxic.down"}, b"", "fin"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
async def test_toxics_end_open_connections(do: Mapping[str, object], seen: object, ended: str) -> None:
    """As their names say, and the journal says so."""
    async with echo_port() as at:
        reader, writer = await at.connect()
        writer.write(GREETING)
        if do["type"] == "toxic.limit_data":
            at.apply(do)
        assert await reader.readexactly(6) == GREETING
        if do["type"] != "toxic.limit_data":
            at.apply(do)
        if do["type"] != "toxic.down":  # which closes at once, and what comes after that is answered by an RST
            writer.write(GREETING)
        assert await ending(reader, writer) == seen
        record = await at.record()

    assert record.ended == ended
    assert [(hit.connection, hit.exchange) for hit in at.hits] == [(record.id, None)]
    assert find_connections(at.journal.records, "db#1") == [record]
    assert "f: hit" in explain_connection(at.journal.records, record)[1]


async def test_a_partition_holds_bytes_until_it_heals() -> None:
    """As TCP sends again what was lost: nothing is missing afterwards."""
    async with echo_port() as at:
        reader, writer = await at.connect()
        assert await said(reader, writer) == GREETING
        at.apply({"type": "partition", "mode": "blackhole"})
        writer.write(GREETING)
        await at.journal.until(lambda journal: bool(at.hits))
        at.proxy.clear("test")
        assert await reader.readexactly(6) == GREETING
        writer.close()


@pytest.mark.parametrize(("mode", "seen"), [("refuse", "refused"), ("reset", errno.ECONNRESET)])
async def test_a_partition_can_close_the_door_and_cut(mode: str, seen: object) -> None:
    """New connections at the door, open ones with an RST."""
    async with echo_port() as at:
        reader, writer = await at.connect()
        assert await said(reader, writer) == GREETING
        at.apply({"type": "partition", "mode": mode, "live_streams": "cut"})
        assert await ending(reader, writer) == errno.ECONNRESET
        try:
            assert await ending(*await at.connect()) == seen
        except ConnectionRefusedError:
            assert seen == "refused"


async def test_a_closed_door_leaves_open_connections_alone() -> None:
    """conn.refuse is for new ones."""
    async with echo_port() as at:
        reader, writer = await at.connect()
        at.apply({"type": "conn.refuse"})
        with pytest.raises(ConnectionRefusedError):
            await at.connect()
        assert await said(reader, writer) == GREETING
        writer.close()


async def test_an_upstream_that_is_away_is_named() -> None:
    """The client is accepted, then closed, as Toxiproxy does."""
    journal = Journal()
    spec = ListenerSpec("db", "127.0.0.1:0", "tcp://127.0.0.1:1")
    async with Proxy([spec], record=journal.add) as proxy:
        at = Port(proxy, journal)
        assert await ending(*await at.connect()) == b""
        record = await at.record()

    assert record.ended == "refused"
    assert record.error is not None
    assert record.error.startswith("connect: ")


async def test_one_connection_too_many_is_closed() -> None:
    """There is no HTTP to say why."""
    async with echo_port(connections=1) as at:
        reader, writer = await at.connect()
        assert await said(reader, writer) == GREETING
        assert await ending(*await at.connect()) == b""
        writer.close()


async def test_connections_that_are_open_at_the_end_are_recorded() -> None:
    """The proxy stops, and says that it was the one."""
    async with echo_port() as at:
        reader, writer = await at.connect()
        assert await said(reader, writer) == GREETING
    record = await at.record()
    writer.close()

    assert record.ended == "unfinished"


async def test_faults_about_requests_are_refused() -> None:
    """With the reason, and what there is instead."""
    async with echo_port() as at:
        with pytest.raises(UserError, match=r"http.status acts on HTTP requests; at a tcp:// upstream .* toxic\.\*"):
            at.apply({"type": "http.status"})
        with pytest.raises(UserError, match="match, share, max_hits are about HTTP requests"):
            at.apply({"type": "partition"}, share=0.5)


@pytest.mark.parametrize(
    "url", ["tcp://", "tcp://host", "tcp://host:0", "tcp://u:p@host:1", "tcp://h:1/x", "tcp://h:x"]
)
def test_a_bad_address_is_refused_at_the_start(url: str) -> None:
    """Not when the first client comes."""
    with pytest.raises(UserError, match="expected a TCP upstream"):
        Proxy([ListenerSpec("db", "127.0.0.1:0", url)], record=lambda entry: None)
