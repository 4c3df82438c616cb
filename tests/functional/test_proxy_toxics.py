"""Toxics on listeners of ours: what a client that asks over HTTP really sees, byte by byte."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping

import pytest

from chaosproxy.journal.explanation import explain
from chaosproxy.journal.records import FaultEdge
from chaosproxy.journal.traffic import FaultHit
from chaosproxy.plan.rule import Rule
from tests.functional.test_proxy_plan import Feed, apply, begin
from tests.functional.wire_kit import (
    LAST_CHUNK,
    SSE_HEAD,
    Bench,
    Client,
    Journal,
    Peer,
    Request,
    answers,
    ask,
    bench,
    call,
    chunk,
    event,
    events,
    plain,
    stream,
)

ANSWER = stream(events(20))
BODY = b"".join(events(20))


def hits(at: Bench | Journal) -> list[FaultHit]:
    """Of a journal, in its order."""
    journal = at.journal if isinstance(at, Bench) else at
    return [record for record in journal.records if isinstance(record, FaultHit)]


def edges(journal: Journal) -> list[str]:
    """What began and ended, in its order."""
    return [record.edge for record in journal.records if isinstance(record, FaultEdge)]


def toxic(at: Bench, name: str, lease_s: float = 60, **settings: object) -> None:
    """One toxic at the bench's listener."""
    apply(at, {"type": f"toxic.{name}", **settings}, lease_s)


def clock() -> float:
    """Of the loop."""
    return asyncio.get_running_loop().time()


async def rest(client: Client) -> bytes:
    """All that comes to the end of the connection."""
    got = await client.reader.read()
    client.close()
    return got


async def errno_of(client: Client) -> int:
    """Why nothing more can be read."""
    try:
        await rest(client)
    except OSError as error:
        client.close()
        return error.errno or 0
    return 0


async def test_latency_delays_the_answer_and_the_journal_knows_when_it_came() -> None:
    """The exchange's client edge is what the client got: later, whole, and hit once."""
    async with bench(answers(ANSWER)) as at:
        toxic(at, "latency", latency=0.15)
        began = clock()
        answer = await call(at.url, ask())
        took = clock() - began
        exchange = await at.journal.exchange()

    assert answer.body == BODY
    assert 0.15 <= took < 1
    assert exchange.sent.ended == "end"
    assert exchange.sent.text == exchange.received.text
    assert exchange.sent.end_at is not None
    assert exchange.received.end_at is not None
    assert exchange.sent.end_at - exchange.received.end_at >= 0.14
    assert exchange.sent.first_content_at is not None
    assert exchange.received.first_content_at is not None
    assert exchange.sent.first_content_at - exchange.received.first_content_at >= 0.14
    assert [hit.exchange for hit in hits(at)] == [exchange.id]
    assert hits(at)[0].connection == "a#1"
    assert exchange.attached == ["f"]


async def test_latency_upstream_delays_the_request() -> None:
    """The exchange begins when its request has come through, and is the one that was hit."""
    async with bench(answers(ANSWER)) as at:
        toxic(at, "latency", latency=0.15, direction="upstream")
        began = clock()
        answer = await call(at.url, ask())
        took = clock() - began
        exchange = await at.journal.exchange()

    assert answer.body == BODY
    assert took >= 0.15
    assert [hit.exchange for hit in hits(at)] == [exchange.id]
    assert exchange.misses == []


async def test_each_exchange_of_a_slow_connection_is_hit() -> None:
    """A pool of connections that is slow slows each call that goes through it."""
    async with bench(answers(ANSWER)) as at:
        toxic(at, "latency", latency=0.02)
        client = await Client.connect(at.url)
        for _ in range(3):
            assert (await client.call(ask())).body == BODY
        exchanges = [await at.journal.exchange(number) for number in (1, 2, 3)]
        client.close()

    assert [hit.exchange for hit in hits(at)] == [exchange.id for exchange in exchanges]


async def test_bandwidth_paces_the_answer() -> None:
    """About so many bytes a second (KB/s are 1000 bytes)."""
    body = bytes(3000)
    async with bench(answers(plain(body))) as at:
        toxic(at, "bandwidth", rate=10)
        began = clock()
        answer = await call(at.url, ask())

    assert answer.body == body
    assert clock() - began >= 0.25


async def test_slicer_keeps_every_byte() -> None:
    """Small pieces of the same answer."""
    async with bench(answers(ANSWER)) as at:
        toxic(at, "slicer", average_size=50, size_variation=10)
        answer = await call(at.url, ask())
        exchange = await at.journal.exchange()

    assert answer.body == BODY
    assert exchange.sent.ended == "end"
    assert len(hits(at)) == 1


async def test_limit_data_cuts_with_a_fin() -> None:
    """So many bytes reach the client, and the journal does not claim more."""
    async with bench(answers(ANSWER)) as at:
        toxic(at, "limit_data", bytes=700)
        client = await Client.connect(at.url)
        await client.send(ask())
        got = await rest(client)
        exchange = await at.journal.exchange()

    assert len(got) == 700
    assert exchange.sent.ended == "fin"
    assert 0 < exchange.sent.text.chars < exchange.received.text.chars
    assert not exchange.sent.terminal
    assert "f: hit" in "\n".join(explain(at.journal.records, exchange))


async def test_timeout_drops_the_answer_and_closes() -> None:
    """Silence, then a FIN; nothing was sent."""
    async with bench(answers(ANSWER)) as at:
        toxic(at, "timeout", timeout=0.1)
        client = await Client.connect(at.url)
        await client.send(ask())
        assert await rest(client) == b""
        exchange = await at.journal.exchange()

    assert exchange.sent.status is None
    assert exchange.sent.ended == "fin"
    assert [hit.exchange for hit in hits(at)] == [exchange.id]


async def test_timeout_upstream_swallows_the_request_and_counts_the_connection() -> None:
    """No exchange ever begins, and yet somebody was hit."""
    async with bench(answers(ANSWER)) as at:
        toxic(at, "timeout", timeout=0.1, direction="upstream")
        client = await Client.connect(at.url)
        await client.send(ask())
        assert await rest(client) == b""
        await at.journal.until(lambda journal: bool(hits(journal)))

    assert at.journal.exchanges == []
    assert [(hit.exchange, hit.connection) for hit in hits(at)] == [(None, "a#1")]
    assert at.upstream.requests == []


async def test_reset_peer_is_an_rst() -> None:
    """ECONNRESET in place of the answer."""
    async with bench(answers(ANSWER)) as at:
        toxic(at, "reset_peer")
        client = await Client.connect(at.url)
        await client.send(ask())
        assert await errno_of(client) == errno.ECONNRESET
        exchange = await at.journal.exchange()

    assert exchange.sent.ended == "reset"
    assert exchange.sent.status is None
    assert exchange.received.status == 200


async def test_slow_close_delays_the_fin_alone() -> None:
    """The answer is there at once; the end of the connection is not."""
    async with bench(answers(plain(b"hello"))) as at:
        toxic(at, "slow_close", delay=0.2)
        client = await Client.connect(at.url)
        began = clock()
        answer = await client.call(ask(headers="Connection: close\r\n"))
        answered = clock() - began
        assert await rest(client) == b""
        closed = clock() - began

    assert answer.body == b"hello"
    assert answered < 0.2 <= closed


async def test_noop_is_seen_by_nobody() -> None:
    """All passes, and no hit is claimed."""
    async with bench(answers(ANSWER)) as at:
        toxic(at, "noop")
        assert (await call(at.url, ask())).body == BODY
        exchange = await at.journal.exchange()

    assert hits(at) == []
    assert [miss.fault for miss in exchange.misses] == ["f"]


async def test_down_refuses_new_connections_and_ends_open_ones_with_a_fin() -> None:
    """An open stream ends in mid-air; the port does not answer until it heals."""
    feed = Feed()
    async with bench(feed.script()) as at:
        client = await begin(at)
        feed.send(event("one"))
        assert await client.chunk() == event("one")
        toxic(at, "down")
        assert await rest(client) == b""
        with pytest.raises(ConnectionRefusedError):
            await Client.connect(at.url)
        at.proxy.clear("test")
        feed.end()
        exchange = await at.journal.exchange()
        again = await Client.connect(at.url)
        again.close()

    assert exchange.sent.ended == "fin"
    assert exchange.sent.tokens == 1
    assert [hit.exchange for hit in hits(at)] == [exchange.id]


async def test_an_open_stream_is_slowed_and_healed_in_mid_stream() -> None:
    """What a toxic holds goes on when it heals, in order, and then the connection is as fast as before."""
    feed = Feed()
    async with bench(feed.script()) as at:
        client = await begin(at)
        feed.send(event("one"))
        assert await client.chunk() == event("one")
        toxic(at, "latency", latency=30)
        feed.send(event("two"))
        await at.journal.until(lambda journal: bool(hits(journal)))
        at.proxy.clear("test")
        assert await client.chunk() == event("two")
        feed.send(event("three"))
        assert await client.chunk() == event("three")
        feed.end()
        assert await client.reader.readexactly(len(LAST_CHUNK)) == LAST_CHUNK
        exchange = await at.journal.exchange()
        second = ask()
        await client.send(second)
        await client.head()
        feed.send(event("four"))
        assert await client.chunk() == event("four")
        client.close()

    assert exchange.sent.ended == "end"
    assert exchange.sent.tokens == exchange.received.tokens == 3


async def test_an_open_stream_is_reset() -> None:
    """An RST in the middle of a stream that was there before."""
    feed = Feed()
    async with bench(feed.script()) as at:
        client = await begin(at)
        feed.send(event("one"))
        assert await client.chunk() == event("one")
        toxic(at, "reset_peer")
        feed.send(event("two"))
        assert await errno_of(client) == errno.ECONNRESET
        feed.end()
        exchange = await at.journal.exchange()

    assert exchange.sent.ended == "reset"
    assert exchange.sent.tokens == 1


async def test_a_lease_ends_a_toxic_by_itself() -> None:
    """Nobody renews it, and what it held goes on."""
    async with bench(answers(ANSWER)) as at:
        toxic(at, "latency", lease_s=0.2, latency=60)
        assert (await call(at.url, ask())).body == BODY

    edges = [record for record in at.journal.records if isinstance(record, FaultEdge)]
    assert [edge.why for edge in edges] == ["", "lease"]


async def test_toxicity_spares_connections_by_the_seed() -> None:
    """The same connections every time; who was spared is told why."""

    async def spared() -> list[bool]:
        async with bench(answers(plain(b"x"))) as at:
            toxic(at, "latency", latency=0.001, toxicity=0.5)
            for _ in range(12):
                await call(at.url, ask())
            await at.journal.exchange(12)
            assert {miss.reason[:8] for each in at.journal.exchanges for miss in each.misses} == {"toxicity"}
            return [bool(exchange.misses) for exchange in at.journal.exchanges]

    first = await spared()

    assert first == await spared()
    assert {True, False} == set(first)


async def test_a_client_that_half_closes_under_a_toxic_ends_its_exchange() -> None:
    """Its FIN comes through the toxic behind its request, and means what it means without one."""
    feed = Feed()
    async with bench(feed.script()) as at:
        toxic(at, "latency", latency=0.05, direction="upstream")
        client = await Client.connect(at.url)
        await client.send(ask())
        client.writer.write_eof()
        exchange = await at.journal.exchange()
        feed.end()
        client.close()

    assert exchange.sent.ended == "gone"


async def test_a_tunnel_is_slowed_and_cut() -> None:
    """What follows a 101 passes the same toxics."""

    async def echo(request: Request, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := await peer.reader.read(100):
            await peer.send(data)

    async with bench(echo) as at:
        client = await Client.connect(at.url)
        await client.send(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert "101" in await client.head()
        await client.send(b"one")
        assert await client.reader.readexactly(3) == b"one"
        toxic(at, "latency", latency=0.15)
        began = clock()
        await client.send(b"two")
        assert await client.reader.readexactly(3) == b"two"
        assert clock() - began >= 0.15
        toxic(at, "reset_peer")
        await client.send(b"six")
        assert await errno_of(client) == errno.ECONNRESET


async def test_a_client_that_does_not_read_holds_the_upstream_back() -> None:
    """Toxics hold so much and no more."""
    sent = 0

    async def flood(request: Request, peer: Peer) -> None:
        nonlocal sent
        await peer.send(SSE_HEAD)
        while True:
            await peer.send(chunk(bytes(65536)))
            sent += 65536

    async with bench(flood) as at:
        toxic(at, "latency", latency=0.01)
        client = await Client.connect(at.url)
        await client.send(ask())
        await client.head()
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.3)
        client.close()

    assert sent < 40_000_000


@pytest.mark.parametrize("common", [{"match": {"model": "m"}}, {"share": 0.5}, {"max_hits": 3}])
def test_what_needs_a_request_points_to_toxicity(common: Mapping[str, object]) -> None:
    """A connection carries many requests, so no rule can pick some."""
    with pytest.raises(ValueError, match=r"match, share, max_hits cannot apply; the toxicity of a toxic"):
        Rule.model_validate({"id": "f", "listeners": ["a"], "do": {"type": "toxic.latency"}, **common})


async def test_a_flapping_toxic_comes_and_goes() -> None:
    """On the same open connection."""
    async with bench(answers(plain(b"x"))) as at:
        apply(at, {"type": "toxic.latency", "latency": 0.2}, flap={"down": 0.1, "up": 10})
        client = await Client.connect(at.url)
        assert (await client.call(ask())).body == b"x"
        await at.journal.until(
            lambda journal: any(
                isinstance(record, FaultEdge) and record.edge == "flap_up" for record in journal.records
            )
        )
        began = clock()
        assert (await client.call(ask())).body == b"x"
        assert clock() - began < 0.15
        client.close()
