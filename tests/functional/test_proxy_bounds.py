"""The bounds of a proxy: odd requests, slow peers, long bodies."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from chaosproxy.errors import PartFailed, UserError
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec, bind, parse_address
from chaosproxy.proxy.proxy import Proxy
from chaosproxy.proxy.pump import Pump
from tests.functional.wire_kit import (
    PATH,
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
    events,
    plain,
    read_chunks,
    stream,
    upstream,
)

BIG = 8 * 1024 * 1024
"""More than socket buffers and transports take without a reader."""


def _apply(at: Bench, do: dict[str, object]) -> None:
    rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": do})
    at.proxy.apply([rule], owner="test", lease_s=60, seed=1)


async def _read_to_the_end(client: Client) -> None:
    while await client.reader.read(1 << 20):
        pass


async def test_connect_is_refused_in_words() -> None:
    """We stand in front of one upstream and are nobody's forward proxy."""
    async with bench(answers(plain(b""))) as at:
        answer = await call(at.url, b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n")

    assert answer.status == 501
    assert "x-chaosproxy-error: connect_method" in answer.fields
    assert at.upstream.requests == []


async def test_a_request_body_that_stops_coming() -> None:
    """After the idle limit the client is told so, and the connection ends."""
    async with bench(answers(plain(b"")), Limits(idle_s=0.1, stop_s=0.1)) as at:
        client = await Client.connect(at.url)
        await client.send(f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345".encode())
        answer = await client.read()
        client.close()

    assert answer.status == 408
    assert "x-chaosproxy-error: request_timeout" in answer.fields


async def test_a_request_body_may_come_slowly() -> None:
    """Only silence counts, not the time that the whole body takes."""
    async with bench(answers(plain(b"")), Limits(idle_s=0.5, stop_s=0.1)) as at:
        client = await Client.connect(at.url)
        await client.send(f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n".encode())
        for _ in range(8):
            await asyncio.sleep(0.1)
            await client.send(b"x")
        answer = await client.read()
        client.close()

    assert answer.status == 200
    assert at.upstream.requests[0].body == b"x" * 8


async def test_a_client_that_leaves_inside_its_request() -> None:
    """Nothing is asked, and the proxy goes on."""
    async with bench(answers(plain(b"{}"))) as at:
        client = await Client.connect(at.url)
        await client.send(f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345".encode())
        client.close()
        await client.writer.wait_closed()
        assert (await call(at.url, ask())).status == 200

    assert len(at.upstream.requests) == 1


async def test_http_1_0_with_keep_alive() -> None:
    """An old client that asks for it may go on after a body with a length."""
    request = b"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"
    async with bench(answers(plain(b"{}"))) as at:
        client = await Client.connect(at.url)
        for _ in range(2):
            answer = await client.call(request)
            assert "Connection: keep-alive" in answer.fields
            assert answer.body == b"{}"
        client.close()


async def test_a_reset_comes_after_what_was_sent() -> None:
    """With a slow reader the RST waits until the bytes before it have left the process."""
    first = events(1)[0]
    frames = [first, b"data: " + b"x" * BIG + b"\n\n", *events(3)]
    async with bench(answers(stream(frames))) as at:
        _apply(at, {"type": "stream.reset", "where": "event:2"})
        client = await Client.connect(at.url, limit=1024)
        await client.send(ask())
        await client.head()
        await at.journal.until(lambda journal: len(journal.exchanges) == 1)
        first_got = await client.chunk()
        with pytest.raises(ConnectionResetError):
            await _read_to_the_end(client)
        client.close()

    assert first_got == first


async def test_a_reset_does_not_wait_for_ever() -> None:
    """A client that never reads is reset after a named time, and its connection is free."""
    frames = [events(1)[0], b"data: " + b"x" * BIG + b"\n\n", *events(3)]
    async with bench(answers(stream(frames)), Limits(reset_s=0.1, stop_s=0.1)) as at:
        _apply(at, {"type": "stream.reset", "where": "event:2"})
        client = await Client.connect(at.url, limit=1024)
        await client.send(ask())
        await at.journal.exchange()
        async with asyncio.timeout(5):
            await at.proxy._listeners["a"]._left.wait()
            with pytest.raises(ConnectionResetError):
                await _read_to_the_end(client)
        client.close()


async def test_an_upstream_is_drained_within_limits() -> None:
    """After a cut the upstream is read on for a bounded size and time, and then given up."""

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + b"".join(map(chunk, events(3))))
        if b"endless" in request.body:
            while True:
                await peer.send(chunk(b"data: " + b"x" * 65536 + b"\n\n"))
        await peer.gone.wait()

    async with bench(play, Limits(drain_bytes=300_000, drain_s=0.1, stop_s=0.1)) as at:
        _apply(at, {"type": "stream.truncate", "where": "token:1"})
        for prompt in ("endless", "silent"):
            assert (await call(at.url, ask(prompt))).body == events(1)[0]
        records = [await at.journal.exchange(number) for number in (1, 2)]

    assert [record.received.ended for record in records] == ["unfinished", "unfinished"]
    assert 300_000 < records[0].received.bytes < 1_000_000


async def test_a_plain_answer_may_be_too_long_to_read() -> None:
    """It passes whole; only its text is unknown."""
    body = b'{"choices": [{"message": {"content": "' + b"x" * 5000 + b'"}}]}'
    data = plain(body, "200 OK", "Content-Type: application/json")
    async with bench(answers(data), Limits(answer_bytes=1000)) as at:
        answer = await call(at.url, ask(stream=False))
        record = await at.journal.exchange()

    assert answer.body == body
    assert (record.sent.bytes, record.sent.text.chars) == (len(body), 0)


async def test_faults_that_hold_too_much_pause_the_upstream() -> None:
    """What waits in a chain is bounded, and nothing is lost."""
    large = events(1)[0][:-2] + b" " * 60_000 + b"\n\n"
    async with bench(answers(stream([large] * 60)), Limits(held_bytes=500_000, stop_s=0.1)) as at:
        _apply(at, {"type": "time.stall", "where": "token:1", "hold": "100ms"})
        client = await Client.connect(at.url)
        await client.send(ask())
        await client.head()
        await client.chunk()
        await asyncio.sleep(0.08)
        (pump,) = at.proxy._open.pumps
        held_bytes = pump.account.received.tally.bytes
        pieces = [await client.chunk() for _ in range(59)]
        client.close()

    assert 500_000 < held_bytes < 800_000
    assert pieces == [large] * 59


async def test_addresses() -> None:
    """A port alone means this machine; nonsense and unknown hosts are said in words."""
    assert parse_address(":9001") == ("127.0.0.1", 9001)
    assert parse_address("[::1]:0") == ("::1", 0)
    for text in ("9001", "h:", "h:99999", "h:http"):
        with pytest.raises(UserError, match="expected an address"):
            parse_address(text)
    with pytest.raises(PartFailed, match=r"cannot listen on no\.such.host.invalid:0"):
        bind("no.such.host.invalid:0")


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
async def test_ipv6() -> None:
    """A listener may stand on an IPv6 address, gate included."""
    async with upstream(answers(plain(b"{}"))) as server_side:
        proxy = Proxy([ListenerSpec("a", "[::1]:0", server_side.url)], record=Journal().add)
        await proxy.start()
        host, _, port = proxy.urls["a"].removeprefix("http://").rpartition(":")
        client = Client(*await asyncio.open_connection(host.strip("[]"), int(port)))
        assert host == "[::1]"
        assert (await client.call(ask())).status == 200
        client.close()
        await proxy.stop()


async def test_stopping_twice_is_harmless() -> None:
    """So is a plan that ends after the proxy."""
    async with bench(answers(plain(b"{}"))) as at:
        _apply(at, {"type": "conn.refuse"})
        await at.proxy.stop()
        at.proxy.clear()


async def test_an_exchange_is_forgotten_when_it_has_ended() -> None:
    """A kept-alive connection to an upstream outlives thousands of exchanges, and keeps none of them."""

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD)
        await going_on.wait()
        await peer.send(stream(events(1)).removeprefix(SSE_HEAD))

    going_on = asyncio.Event()
    async with bench(play) as at:
        client = await Client.connect(at.url)
        for number in range(20):
            going_on.clear()
            await client.send(ask())
            await client.head()
            going_on.set()
            assert len([piece async for piece in read_chunks(client.reader)]) == 2
            await at.journal.exchange(number + 1)
        client.close()
        await asyncio.sleep(0)
        gc.collect()
        kept = [pump for pump in gc.get_objects() if isinstance(pump, Pump)]

    assert at.upstream.connections == 1
    assert len(kept) <= 1
