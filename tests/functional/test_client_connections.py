"""One client connection over the time of many requests: whose turn it is, when it ends, and what is lost with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chaosproxy.faults.base import Gate
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from tests.functional.asking_kit import on_each_loop
from tests.functional.wire_kit import (
    PATH,
    Bench,
    Client,
    Peer,
    Request,
    answers,
    ask,
    bench,
    call,
    events,
    plain,
    stream,
)


def post(length: int, *, path: str = PATH, version: str = "1.1", fields: str = "") -> bytes:
    """The head of a request with a body."""
    return f"POST {path} HTTP/{version}\r\nHost: h\r\n{fields}Content-Length: {length}\r\n\r\n".encode()


async def echo(request: Request, peer: Peer) -> None:
    """Answers with the request's path and body."""
    await peer.send(plain(request.line.split(" ")[1].encode() + b" " + request.body))


class Held:
    """An upstream that answers when it is told to."""

    def __init__(self, answer: bytes) -> None:
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()
        self._answer = answer

    async def __call__(self, request: Request, peer: Peer) -> None:
        self.asked.set()
        await self.go_on.wait()
        await peer.send(self._answer)


@asynccontextmanager
async def connected(at: Bench) -> AsyncIterator[Client]:
    """A client that does not wait for ever."""
    client = await Client.connect(at.url)
    try:
        async with asyncio.timeout(20):
            yield client
    finally:
        client.writer.transport.abort()


# turns ---------------------------------------------------------------------------------------------------------------


@on_each_loop
async def test_pipelined_requests_are_answered_in_their_order() -> None:
    """With and without bodies, whole and in two parts, on one connection."""
    async with bench(echo) as at, connected(at) as client:
        await client.send(
            post(3, path="/1") + b"one" + b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n" + post(5, path="/3") + b"th"
        )
        assert (await client.read()).body == b"/1 one"
        assert (await client.read()).body == b"/2 "
        await client.send(b"ree" + b"GET /4 HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await client.read()).body == b"/3 three"
        assert (await client.read()).body == b"/4 "


@on_each_loop
@pytest.mark.parametrize("size", [1, 7])
async def test_a_request_may_come_in_pieces(size: int) -> None:
    """Wherever the network cuts it, its chunked body is put together."""
    data = b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with bench(echo) as at, connected(at) as client:
        for start in range(0, len(data), size):
            await client.send(data[start : start + size])
            await asyncio.sleep(0)
        assert (await client.read()).body == b"/x abcde"


@on_each_loop
async def test_a_bad_request_behind_a_good_one_waits_for_its_turn() -> None:
    """The first is answered as it should be, and only then is the second refused."""
    upstream = Held(plain(b"first"))
    async with bench(upstream) as at, connected(at) as client:
        await client.send(ask(stream=False))
        await upstream.asked.wait()
        await client.send(b"this is not HTTP\r\n\r\n")
        upstream.go_on.set()
        assert (await client.read()).body == b"first"
        refused = await client.read()
        assert (refused.status, await client.reader.read()) == (400, b"")


@on_each_loop
async def test_a_bad_request_in_the_packet_of_a_good_one_takes_it_with_it() -> None:
    """The parser hands out neither: one 400 for both, and nothing is asked."""
    async with bench(echo) as at, connected(at) as client:
        await client.send(b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nthis is not HTTP\r\n\r\n")
        assert (await client.read()).status == 400
        assert await client.reader.read() == b""

    assert at.upstream.requests == []


# Expect --------------------------------------------------------------------------------------------------------------


@on_each_loop
async def test_a_waiting_request_is_asked_for_its_body_when_its_turn_comes() -> None:
    """A 100 in the middle of the answer before it would belong to that."""
    upstream = Held(plain(b"{}"))
    async with bench(upstream) as at, connected(at) as client:
        await client.send(ask(stream=False))
        await upstream.asked.wait()
        await client.send(post(2, fields="Expect: 100-continue\r\n"))
        upstream.go_on.set()
        assert (await client.read()).status == 200
        assert await client.head() == "HTTP/1.1 100 Continue"
        assert (await client.call(b"{}")).status == 200


@on_each_loop
async def test_a_client_that_does_not_wait_for_100_gets_none() -> None:
    """Neither with HTTP/1.0, nor once its body has begun to come (RFC 9110, 10.1.1)."""
    async with bench(echo) as at:
        async with connected(at) as client:
            await client.send(post(2, path="/0", version="1.0", fields="Expect: 100-continue\r\n"))
            await client.send(b"ab")
            assert (await client.read()).body == b"/0 ab"
        async with connected(at) as client:
            await client.send(post(2, path="/1", fields="Expect: 100-continue\r\n") + b"a")
            await client.send(b"b")
            assert (await client.read()).body == b"/1 ab"


@on_each_loop
async def test_100_comes_once() -> None:
    """However often something else than the body arrives."""
    fields = "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with bench(echo) as at, connected(at) as client:
        await client.send(fields.encode())
        assert await client.head() == "HTTP/1.1 100 Continue"
        for piece in (b"2", b"\r\n", b"ab\r\n", b"0\r\n\r\n"):
            await client.send(piece)
            await asyncio.sleep(0.01)
        assert (await client.read()).body == b"/x ab"


# ends ----------------------------------------------------------------------------------------------------------------


@on_each_loop
async def test_an_idle_connection_ends_after_the_keep_alive_time() -> None:
    """With a FIN and no words, after an answer as from the start."""
    async with bench(answers(plain(b"{}")), Limits(keepalive_s=0.5, stop_s=0.1)) as at:
        async with connected(at) as client:
            assert await client.reader.read() == b""
        async with connected(at) as client:
            assert (await client.call(ask(stream=False))).status == 200
            assert await client.reader.read() == b""


@on_each_loop
async def test_an_exchange_outlives_the_keep_alive_time() -> None:
    """Only idle connections are ended by it."""

    async def slow(request: Request, peer: Peer) -> None:
        await asyncio.sleep(0.3)
        await peer.send(plain(b"{}"))

    async with bench(slow, Limits(keepalive_s=0.1, stop_s=0.1)) as at, connected(at) as client:
        assert (await client.call(ask(stream=False))).status == 200


@on_each_loop
async def test_a_silent_body_does_not_end_the_answer_before_it() -> None:
    """A pipelined request that stops coming has its time when its turn has come."""

    async def slow(request: Request, peer: Peer) -> None:
        await asyncio.sleep(0.4)
        await peer.send(plain(b"{}"))

    async with bench(slow, Limits(idle_s=0.1, keepalive_s=0.1, stop_s=0.1)) as at, connected(at) as client:
        await client.send(ask(stream=False) + post(10) + b"12345")
        first = await client.read()
        second = await client.read()

    assert first.status in (200, 504)
    assert second.status == 408


@on_each_loop
async def test_a_client_that_closes_its_sending_side_has_left() -> None:
    """Its exchange ends, though it could still read."""
    upstream = Held(plain(b"{}"))
    async with bench(upstream) as at, connected(at) as client:
        await client.send(ask(stream=False))
        await upstream.asked.wait()
        client.writer.write_eof()
        assert await client.reader.read() == b""
        exchange = await at.journal.exchange()

    assert exchange.sent.ended == "gone"


@on_each_loop
async def test_a_connection_of_a_refusing_port_ends_with_its_exchange() -> None:
    """A gate that closed while an answer was under way is not passed by the next request."""
    upstream = Held(stream(events(2)))
    async with bench(upstream) as at, connected(at) as client:
        await client.send(ask())
        await upstream.asked.wait()
        at.proxy._listeners["a"].set_gate(Gate.REFUSE)
        upstream.go_on.set()
        assert (await client.read()).body == b"".join(events(2))
        assert await client.reader.read() == b""


@on_each_loop
async def test_a_connection_closes_though_its_head_promised_to_stay() -> None:
    """Also when the gate closed after the head had been sent."""
    frames, go_on = events(2), asyncio.Event()

    async def halves(request: Request, peer: Peer) -> None:
        whole = stream(frames)
        await peer.send(whole[:150])
        await go_on.wait()
        await peer.send(whole[150:])

    async with bench(halves) as at, connected(at) as client:
        await client.send(ask())
        assert "Connection: close" not in await client.head()
        at.proxy._listeners["a"].set_gate(Gate.REFUSE)
        go_on.set()
        rest = await client.reader.read()

    assert rest.endswith(b"0\r\n\r\n")


@on_each_loop
@pytest.mark.parametrize("size", [100_000, 1_000_000])
async def test_a_refusal_is_not_destroyed_by_what_still_comes(size: int) -> None:
    """A client that sends a head which is much too long, and reads only then, gets its 400 and no RST."""
    async with bench(answers(plain(b"{}"))) as at, connected(at) as client:
        client.writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * size)
        await asyncio.sleep(0.2)
        answer = await client.read()
        end = await client.reader.read()

    assert (answer.status, answer.ended, end) == (400, "end", b"")


@on_each_loop
async def test_an_answer_before_its_request_has_ended_arrives_whole() -> None:
    """What still comes of the body is read and forgotten; then the connection may go on."""
    body = b"x" * 3_000_000

    async def early(request: Request, peer: Peer) -> None:
        await peer.send(plain(b"{}"))

    async with bench(early, Limits(body_bytes=1000, stop_s=0.1)) as at, connected(at) as client:
        rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": {"type": "http.status", "status": 429}})
        at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
        await client.send(post(len(body)) + body[:2000])
        assert (await client.read()).status == 429
        await client.send(body[2000:])
        at.proxy.clear(owner="test")
        assert (await client.call(ask(stream=False))).status == 200


@on_each_loop
async def test_a_body_that_never_ends_after_its_answer_is_given_up() -> None:
    """After Limits.linger_s, with no second answer."""
    async with (
        bench(echo, Limits(body_bytes=1000, linger_s=0.1, idle_s=0.05, stop_s=0.1)) as at,
        connected(at) as client,
    ):
        rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": {"type": "http.status", "status": 429}})
        at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
        await client.send(post(100_000) + b"x" * 2000)
        assert (await client.read()).status == 429
        assert await client.reader.read() == b""


@on_each_loop
@pytest.mark.parametrize(
    "bad",
    [
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Content-Length: 2\r\nContent-Length: 3",
        "X y: 1",
        "A: b\r\n c",
    ],
    ids=["length and chunks", "two lengths", "a space in a name", "a folded field"],
)
async def test_what_two_readers_could_read_in_two_ways_is_refused(bad: str) -> None:
    """The strict parser in front sees to it; nothing of it reaches the upstream."""
    async with bench(echo) as at, connected(at) as client:
        assert (await client.call(f"POST / HTTP/1.1\r\nHost: h\r\n{bad}\r\n\r\nab".encode())).status == 400

    assert at.upstream.requests == []


@on_each_loop
async def test_a_broken_chunk_of_a_request() -> None:
    """It is a 400 while nothing is asked yet."""
    head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with bench(echo) as at, connected(at) as client:
        await client.send(head + b"2\r\nab\r\n")
        await asyncio.sleep(0.05)
        assert (await client.call(b"no size\r\n")).status == 400


# answers of our own --------------------------------------------------------------------------------------------------


@on_each_loop
async def test_an_error_of_ours_has_no_body_after_head() -> None:
    """Or what follows it would be read as the next answer."""

    async def hang_up(request: Request, peer: Peer) -> None:
        peer.writer.close()

    async with bench(hang_up) as at, connected(at) as client:
        for _ in range(2):
            await client.send(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
            answer = await client.read(has_body=False)
            assert answer.status == 502
            assert "Content-Type: application/json" in answer.fields


@on_each_loop
async def test_a_body_with_an_offer_to_upgrade() -> None:
    """An upgrade that we do not offer changes nothing about the request."""
    async with bench(echo) as at, connected(at) as client:
        answer = await client.call(post(2, path="/x", fields="Connection: Upgrade\r\nUpgrade: h2c\r\n") + b"ab")
        assert answer.body == b"/x ab"
        assert (await client.call(post(2, path="/y") + b"cd")).body == b"/y cd"


@on_each_loop
async def test_strange_targets_are_answered() -> None:
    """Whatever stands in a request line, the client is told and the next one is served."""
    async with bench(echo) as at:
        for target in (b"http://[::1/x", b"*", b"//", b"http://h:99999/", b"/%zz", b"/\xff", b"h:1"):
            async with connected(at) as client:
                await client.send(b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n")
                assert (await client.read()).status in (200, 400)
        assert (await call(at.url, ask())).status == 200


@on_each_loop
async def test_an_upgrade_behind_another_request() -> None:
    """It is asked when its turn comes, and what the client sent behind it goes through the tunnel."""

    async def talk(request: Request, peer: Peer) -> None:
        if request.field("upgrade") is None:
            await peer.send(plain(b"{}"))
            return
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await peer.send(b"got " + await peer.reader.readexactly(5))

    upgrade = b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with bench(talk) as at, connected(at) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" + upgrade + b"hello")
        assert (await client.read()).body == b"{}"
        assert (await client.head()).startswith("HTTP/1.1 101")
        assert await client.reader.readexactly(9) == b"got hello"
