"""Faults come and go while a proxy runs: live streams, gates, leases."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from chaosproxy.errors import PartFailed, UserError
from chaosproxy.journal.explanation import find_exchanges
from chaosproxy.journal.records import FaultEdge
from chaosproxy.journal.traffic import FaultHit, Lag
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import (
    DONE,
    LAST_CHUNK,
    SSE_HEAD,
    Bench,
    Client,
    Journal,
    Peer,
    Request,
    Script,
    answers,
    ask,
    bench,
    call,
    chunk,
    event,
    events,
    plain,
    stream,
    upstream,
)


def rule(do: Mapping[str, object], **common: object) -> Rule:
    """A rule at listener a."""
    return Rule.model_validate({"id": "f", "listeners": ["a"], "do": do, **common})


def apply(at: Bench, do: Mapping[str, object], lease_s: float = 60, **common: object) -> None:
    """One fault at the bench's listener."""
    at.proxy.apply([rule(do, **common)], owner="test", lease_s=lease_s, seed=1)


class Feed:
    """An upstream that sends a stream piece by piece, as a test tells it."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._pieces.put_nowait(piece)

    def end(self) -> None:
        self._pieces.put_nowait(None)

    def script(self) -> Script:
        async def play(request: Request, peer: Peer) -> None:
            await peer.send(SSE_HEAD)
            while (piece := await self._pieces.get()) is not None:
                await peer.send(chunk(piece))
            await peer.send(LAST_CHUNK)

        return play


async def begin(at: Bench) -> Client:
    """A client whose stream is open."""
    client = await Client.connect(at.url)
    await client.send(ask())
    await client.head()
    return client


async def rest(client: Client) -> bytes:
    """Everything to the end of the body."""
    pieces = []
    while piece := await client.reader.read(65536):
        pieces.append(piece)
        if piece.endswith(LAST_CHUNK):
            break
    client.close()
    data, body = b"".join(pieces), b""
    while not data.startswith(LAST_CHUNK):
        size, _, data = data.partition(b"\r\n")
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return body


async def test_a_fault_reaches_a_stream_that_is_open() -> None:
    """With streams: all it counts what had passed: token 4 is the fourth of the whole stream."""
    feed = Feed()
    async with bench(feed.script()) as at:
        client = await begin(at)
        feed.send(event("1"), event("2"))
        assert [await client.chunk(), await client.chunk()] == [event("1"), event("2")]
        apply(at, {"type": "stream.truncate", "where": "token:4"}, streams="all")
        feed.send(event("3"), event("4"), event("5"))
        feed.end()
        body = await rest(client)
        record = await at.journal.exchange()

    assert body == event("3") + event("4")
    assert (record.sent.tokens, record.received.tokens) == (4, 5)


async def test_a_fault_begins_at_a_frame_boundary() -> None:
    """Half a frame that was sent is completed first, even when the rest comes together with other frames."""
    feed = Feed()
    half = event("2")
    async with bench(feed.script()) as at:
        client = await begin(at)
        feed.send(event("1"), half[:20])
        assert [await client.chunk(), await client.chunk()] == [event("1"), half[:20]]
        apply(at, {"type": "sse.drop", "where": "token:3"}, streams="all")
        feed.send(half[20:] + event("3") + event("4")[:10], event("4")[10:], DONE)
        feed.end()
        body = await rest(client)
        record = await at.journal.exchange()

    assert body == half[20:] + event("4") + DONE
    assert [record.sent.text.chars, record.received.text.chars] == [3, 4]
    assert record.attached == ["f"]


async def test_a_healed_stream_goes_on_exactly() -> None:
    """Half a frame that was held back when the fault ended comes out with its rest, and then everything passes."""
    feed = Feed()
    async with bench(feed.script()) as at:
        apply(at, {"type": "time.inter_token", "mean": "0s"})
        client = await begin(at)
        feed.send(event("1") + event("2")[:15])
        assert await client.chunk() == event("1")
        at.proxy.clear()
        feed.send(event("2")[15:] + event("3")[:5], event("3")[5:], DONE)
        assert await client.chunk() == event("2") + event("3")[:5]
        feed.end()
        body = await rest(client)
        record = await at.journal.exchange()

    assert body == event("3")[5:] + DONE
    assert record.sent.text == record.received.text
    assert record.sent.bytes == record.received.bytes


async def test_streams_that_are_open_stay_untouched_by_default() -> None:
    """With streams: new a fault is for exchanges that begin after it."""
    feed = Feed()
    async with bench(feed.script()) as at:
        client = await begin(at)
        apply(at, {"type": "stream.truncate", "where": "token:1"})
        feed.send(*events(3))
        feed.end()
        assert await rest(client) == b"".join(events(3))
        record = await at.journal.exchange()

    assert record.attached == []


async def test_a_partition_stalls_open_streams_and_lets_them_go_on() -> None:
    """What came while the link was down arrives when it heals."""
    feed = Feed()
    async with bench(feed.script()) as at:
        client = await begin(at)
        feed.send(event("1"))
        assert await client.chunk() == event("1")
        apply(at, {"type": "partition", "mode": "blackhole"})
        feed.send(event("2"))
        await at.journal.until(lambda journal: any(isinstance(entry, FaultHit) for entry in journal.records))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.chunk(), 0.1)
        at.proxy.clear()
        feed.send(DONE)
        feed.end()
        assert await rest(client) == event("2") + DONE


async def test_a_refusing_port_refuses_and_comes_back() -> None:
    """The kernel refuses connections, nobody else can take the port, and later it is there again; three times."""
    async with bench(answers(plain(b"{}"))) as at:
        idle = await Client.connect(at.url)
        await idle.call(ask())
        for _ in range(3):
            apply(at, {"type": "conn.refuse"})
            with pytest.raises(ConnectionRefusedError):
                await Client.connect(at.url)
            with socket.socket() as thief:
                thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with pytest.raises(OSError, match="in use"):
                    thief.bind(("127.0.0.1", int(at.url.rpartition(":")[2])))
            at.proxy.clear()
            assert (await call(at.url, ask())).status == 200

        assert await idle.reader.read() == b""
        idle.close()


async def test_a_port_may_refuse_from_the_first_moment() -> None:
    """Also when the gate closes and opens faster than the loop can begin to accept."""
    async with bench(answers(plain(b"{}"))) as at:
        for _ in range(2):
            apply(at, {"type": "conn.refuse"})
            at.proxy.clear()
        apply(at, {"type": "conn.refuse"})
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                await Client.connect(at.url)
        at.proxy.clear()
        assert (await call(at.url, ask())).status == 200


async def test_a_resetting_gate_accepts_and_resets() -> None:
    """Each such connection is a hit without an exchange."""
    async with bench(answers(plain(b"{}"))) as at:
        apply(at, {"type": "partition", "mode": "reset"})
        client = await Client.connect(at.url)
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        client.close()
        await at.journal.until(lambda journal: any(isinstance(entry, FaultHit) for entry in journal.records))
        at.proxy.clear()
        assert (await call(at.url, ask())).status == 200

    hits = [entry for entry in at.journal.records if isinstance(entry, FaultHit)]
    assert [(hit.fault, hit.exchange) for hit in hits] == [("f", None)]


async def test_a_lease_that_is_not_renewed_ends_by_itself() -> None:
    """The fault heals, and what it held is over; a renewed lease goes on."""
    async with bench(answers(plain(b"{}"))) as at:
        apply(at, {"type": "http.status", "status": 503}, lease_s=0.15)
        for _ in range(3):
            await asyncio.sleep(0.06)
            assert at.proxy.renew("test", 0.15) == 1
        assert (await call(at.url, ask())).status == 503
        await at.journal.until(lambda journal: _edges(journal) == ["applied", "healed"])
        assert (await call(at.url, ask())).status == 200

    healed = [entry for entry in at.journal.records if isinstance(entry, FaultEdge)][-1]
    assert healed.why == "lease"


async def test_an_endless_stall_ends_with_its_lease() -> None:
    """Nobody waits for ever: when the lease runs out the client is reset."""
    async with bench(answers(stream(events(5)))) as at:
        apply(at, {"type": "time.stall", "where": "token:2", "hold": "forever"}, lease_s=0.2)
        answer = await call(at.url, ask())

    assert answer.body == b"".join(events(5)[:2])
    assert answer.ended == "reset"


async def test_why_a_fault_did_not_hit() -> None:
    """Every fault that was active and made no hit says why."""
    async with bench(answers(plain(b"{}"))) as at:
        apply(at, {"type": "stream.truncate", "where": "byte:100"}, match={"model": "gpt-*"})
        await call(at.url, ask(stream=False))
        apply(at, {"type": "stream.truncate", "where": "byte:100"})
        await call(at.url, ask(stream=False))
        records = [await at.journal.exchange(number) for number in (1, 2)]

    assert [miss.reason for record in records for miss in record.misses] == [
        "match.model: m is not gpt-*",
        "the answer has only 2 bytes",
    ]


async def test_two_listeners_do_not_disturb_one_another() -> None:
    """A blackhole at one leaves the other alone, and each goes to its own upstream."""
    journal = Journal()
    async with upstream(answers(plain(b"one"))) as one, upstream(answers(plain(b"two"))) as two:
        specs = [ListenerSpec("a", ":0", one.url), ListenerSpec("b", ":0", two.url)]
        async with Proxy(specs, record=journal.add) as proxy:
            proxy.apply([rule({"type": "conn.blackhole"})], owner="test", lease_s=60, seed=1)
            silent = await Client.connect(proxy.urls["a"])
            await silent.send(ask())
            assert [(await call(proxy.urls["b"], ask())).body for _ in range(5)] == [b"two"] * 5
            silent.close()


async def test_chance_depends_on_the_call_and_not_on_the_order() -> None:
    """The same seed and tags choose the same calls, whatever the order; a retry draws anew."""

    async def chosen(order: Iterable[int]) -> set[int]:
        async with bench(answers(plain(b"{}"))) as at:
            apply(at, {"type": "http.status", "status": 500}, share="50%")
            statuses = {number: (await call(at.url, ask(f"cp-abcd-{number}"))).status for number in order}
        return {number for number, status in statuses.items() if status == 500}

    first = await chosen(range(30))

    assert 5 < len(first) < 25
    assert await chosen(reversed(range(30))) == first


async def test_accept_encoding_is_narrowed_only_while_a_fault_must_read_frames() -> None:
    """Without such a fault the client's choice goes on as it is."""
    request = ask(headers="Accept-Encoding: gzip, br\r\n")
    async with bench(answers(stream(events(1)))) as at:
        await call(at.url, request)
        apply(at, {"type": "sse.drop"})
        await call(at.url, request)

    assert [got.field("accept-encoding") for got in at.upstream.requests] == ["gzip, br", "identity"]


async def test_a_busy_port_is_said_in_words() -> None:
    """The message names the address, and nothing is left open."""
    async with bench(answers(plain(b""))) as at:
        address = at.url.removeprefix("http://")
        specs = [ListenerSpec("x", ":0", at.upstream.url), ListenerSpec("y", address, at.upstream.url)]
        with pytest.raises(PartFailed, match=f"cannot listen on {address}: address already in use"):
            await Proxy(specs, record=Journal().add).start()


async def test_faults_may_be_applied_before_the_start() -> None:
    """The gate is closed from the first moment."""
    async with upstream(answers(plain(b"{}"))) as server_side:
        proxy = Proxy([ListenerSpec("a", ":0", server_side.url)], record=Journal().add)
        proxy.apply([rule({"type": "conn.refuse"})], owner="test", lease_s=60, seed=1)
        async with proxy:
            with pytest.raises(ConnectionRefusedError):
                await Client.connect(proxy.urls["a"])


async def test_two_proxies_never_give_one_id_twice() -> None:
    """Their journals can be merged; the listener's name and the number stay at both ends of the id."""
    specs = [ListenerSpec("a", "127.0.0.1:0", "http://127.0.0.1:9")]
    journals = [Journal(), Journal()]
    for journal in journals:
        async with Proxy(specs, record=journal.add) as proxy:
            await call(proxy.urls["a"], ask())
    ids = [journal.exchanges[0].id for journal in journals]

    assert ids[0] != ids[1]
    assert all(re.fullmatch("a-[0-9a-f]{6}-1", name) for name in ids)
    assert all(find_exchanges(journal.records, "a#1") == journal.exchanges for journal in journals)


async def test_a_fault_for_an_unknown_listener_is_refused() -> None:
    """The message names the listeners that there are."""
    async with bench(answers(plain(b""))) as at:
        with pytest.raises(UserError, match="'z'; the listeners are a"):
            at.proxy.apply(
                [Rule.model_validate({"id": "f", "listeners": ["z"], "do": {"type": "conn.refuse"}})],
                owner="test",
                lease_s=1,
                seed=1,
            )


async def test_the_loops_lag_is_in_the_journal() -> None:
    """While an exchange is open, our own lateness is measured."""
    feed = Feed()
    async with bench(feed.script()) as at:
        client = await begin(at)
        await at.journal.until(lambda journal: any(isinstance(entry, Lag) for entry in journal.records))
        feed.end()
        await rest(client)


async def test_nothing_is_left_after_many_exchanges() -> None:
    """Tasks and file descriptors are those of before, after whole, cut, reset and abandoned streams."""

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with bench(answers(stream(events(3)))) as at:
        await call(at.url, ask())
        await at.journal.exchange()
        tasks, files = len(asyncio.all_tasks()), descriptors()
        for do in ({"type": "stream.reset", "where": "token:1"}, {"type": "stream.truncate", "where": "token:1"}):
            apply(at, do)
            for _ in range(60):
                await call(at.url, ask())
        at.proxy.clear()
        for _ in range(40):
            client = await Client.connect(at.url)
            await client.send(ask())
            client.close()
            await call(at.url, ask())
        await at.journal.until(lambda journal: at.proxy.open_exchanges == 0)
        async with asyncio.timeout(5):
            while len(asyncio.all_tasks()) > tasks + 2 or descriptors() > files + 2:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.02)


def _edges(journal: Journal) -> list[str]:
    return [entry.edge for entry in journal.records if isinstance(entry, FaultEdge)]
