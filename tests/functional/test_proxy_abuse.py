"""Peers that misbehave at either end, many at once or without an end: bounded, and no harm to the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from chaosproxy.journal.records import Trouble
from chaosproxy.proxy.limits import Limits
from tests.functional.wire_kit import (
    SSE_HEAD,
    Answer,
    Bench,
    Client,
    Journal,
    Peer,
    Request,
    answers,
    ask,
    bench,
    call,
    events,
    plain,
    reset,
    stream,
)

CROWD = 500
PIPELINED = 1000
ENDLESS_BYTES_MAX = 24 * 1024 * 1024
"""As much of something endless may leave its sender: socket buffers and ours, and never all of it."""


def numbered(count: int, start: int = 0) -> bytes:
    """Requests in one piece, each with its number in the path."""
    return b"".join(f"GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n".encode() for number in range(start, start + count))


async def echo(request: Request, peer: Peer) -> None:
    """Answers with the path."""
    await peer.send(plain(request.line.split(" ")[1].encode()))


def refusals(journal: Journal) -> list[str]:
    """What the journal says about requests that the proxy itself refused."""
    troubles = [record for record in journal.records if isinstance(record, Trouble) and record.part == "limits"]
    return [trouble.detail.rpartition(": ")[2] for trouble in troubles]


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for a state that nobody announces."""
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


async def still_well(at: Bench) -> None:
    """Another client is served, and nothing is left of the others."""
    assert (await call(at.url, ask(stream=False))).status == 200
    await until(lambda: at.proxy.open_exchanges == 0 and at.proxy._capacity._open == 0)


async def pour(client: Client, piece: bytes) -> int:
    """Send a piece again and again until nothing more is taken, or the connection is over; how much was sent."""
    sent = 0
    try:
        while sent < 2 * ENDLESS_BYTES_MAX and not client.reader.at_eof():
            client.writer.write(piece)
            sent += len(piece)
            async with asyncio.timeout(1):
                await client.writer.drain()
    except (TimeoutError, ConnectionError):
        pass
    return sent - client.writer.transport.get_write_buffer_size()


async def last_word(client: Client) -> Answer:
    """What a client got that was sending all the time."""
    try:
        return await client.read()
    except BrokenPipeError:
        return Answer(ended="reset")


@asynccontextmanager
async def connected(at: Bench) -> AsyncIterator[Client]:
    """A client that is gone afterwards."""
    client = await Client.connect(at.url)
    try:
        yield client
    finally:
        client.writer.transport.abort()


# many at once --------------------------------------------------------------------------------------------------------


async def test_a_stampede_of_500_clients() -> None:
    """All connect and ask at once, and each gets its whole stream."""
    whole = stream(events(3))
    async with bench(answers(whole), Limits(connections=CROWD, stop_s=0.2)) as at:
        got = await asyncio.gather(*(call(at.url, ask()) for _ in range(CROWD)))

    assert {(answer.status, answer.ended, answer.body) for answer in got} == {(200, "end", b"".join(events(3)))}


@pytest.mark.parametrize("leave", [Client.close, lambda client: reset(client.writer)], ids=["fin", "rst"])
async def test_hundreds_of_idle_connections_that_close_at_once(leave: Callable[[Client], None]) -> None:
    """Their places are free again."""
    async with bench(answers(plain(b"{}")), Limits(connections=CROWD, stop_s=0.2)) as at:
        clients = await asyncio.gather(*(Client.connect(at.url) for _ in range(CROWD)))
        await asyncio.gather(*(client.call(ask(stream=False)) for client in clients))
        for client in clients:
            leave(client)
        await until(lambda: at.proxy._capacity._open == 0)
        await still_well(at)


@pytest.mark.parametrize("length", [1, 40, len(ask()) - 1])
async def test_hundreds_that_leave_inside_their_request(length: int) -> None:
    """In the head or in the body, with a reset: nothing is asked, nothing is left."""
    async with bench(answers(plain(b"{}"))) as at:
        clients = await asyncio.gather(*(Client.connect(at.url) for _ in range(200)))
        for client in clients:
            await client.send(ask()[:length])
        for client in clients:
            reset(client.writer)
        await still_well(at)

    assert len(at.upstream.requests) == 1


# without an end ------------------------------------------------------------------------------------------------------


async def test_a_thousand_requests_in_one_packet() -> None:
    """They are answered, all and in order, and the upstream is asked one after the other."""
    async with bench(echo) as at, connected(at) as client:
        await client.send(numbered(PIPELINED))
        async with asyncio.timeout(60):
            got = [await client.read() for _ in range(PIPELINED)]

    assert [answer.body for answer in got] == [f"/{number}".encode() for number in range(PIPELINED)]
    assert at.upstream.connections == 1


async def test_requests_that_never_end_while_nothing_is_answered() -> None:
    """The connection is read no further, so its client is stuck; what waits in the proxy is bounded."""

    async def silent(request: Request, peer: Peer) -> None:
        await peer.gone.wait()

    async with bench(silent) as at, connected(at) as client:
        sent = await pour(client, numbered(5000))
        (connection,) = at.proxy._http["a"]._connections
        waiting = len(connection._waiting)

    assert sent < ENDLESS_BYTES_MAX
    assert waiting < 20_000
    assert len(at.upstream.requests) <= 1


@pytest.mark.parametrize(
    "piece",
    [b"X-Filler: " + b"x" * 1000 + b"\r\n", b"x" * 1000, b"a: b\r\n" * 200, b"\0" * 1000],
    ids=["fields", "one field", "small fields", "zeros"],
)
async def test_a_head_without_an_end(piece: bytes) -> None:
    """It is refused long before it takes memory; of a client that goes on sending, the answer may be lost."""
    async with bench(answers(plain(b"{}"))) as at, connected(at) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\nX: ")
        sent = await pour(client, piece)
        answer = await last_word(client)
        client.writer.transport.abort()
        await still_well(at)

    assert sent < ENDLESS_BYTES_MAX
    assert answer.ended == "reset" or answer.status == 400
    assert len(at.upstream.requests) == 1
    assert refusals(at.journal) == ["1 x bad_request"]


@pytest.mark.parametrize("beginning", [b"GET /", b"GET / HTTP/1.1\r\nHost: h\r\nX: y"])
async def test_a_head_that_comes_too_slowly(beginning: bytes) -> None:
    """Whatever trickles in: after the limit the client is told so, and its place is free."""
    async with bench(answers(plain(b"{}")), Limits(head_s=0.2, stop_s=0.1)) as at, connected(at) as client:
        await client.send(beginning)
        answering = asyncio.ensure_future(client.read())
        async with asyncio.timeout(20):
            while not answering.done():
                client.writer.write(b"z")
                await asyncio.sleep(0.01)
        answer = answering.result()
        await until(lambda: at.proxy._capacity._open == 0)

    assert answer.status == 408
    assert "x-chaosproxy-error: request_timeout" in answer.fields
    assert at.upstream.requests == []


async def test_a_slow_head_after_an_answer() -> None:
    """The limit holds for each request of a connection, not for the time between them."""
    async with bench(answers(plain(b"{}")), Limits(head_s=0.1, stop_s=0.1)) as at, connected(at) as client:
        for _ in range(2):
            assert (await client.call(ask(stream=False))).status == 200
            await asyncio.sleep(0.2)
        await client.send(b"\r\n")  # some clients end a body with more than they announced
        await asyncio.sleep(0.2)
        await client.send(b"POST")
        answer = await client.read()

    assert answer.status == 408


def forever(beginning: bytes, piece: bytes) -> tuple[Callable[[Request, Peer], object], list[int]]:
    """A script that sends the piece again and again until its connection ends, and how much of it."""
    sent: list[int] = []

    async def play(request: Request, peer: Peer) -> None:
        if b"healthy" in request.body:
            await peer.send(plain(b"{}"))
            return
        await peer.send(beginning)
        sent.append(0)
        while sent[0] < 4 * ENDLESS_BYTES_MAX:
            await peer.send(piece)
            sent[0] += len(piece)
            await asyncio.sleep(0)

    return play, sent


@pytest.mark.parametrize(
    ("beginning", "piece", "status"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"x" * 1000 + b"\r\n", 502, id="fields"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000, 502, id="one field"),
        pytest.param(b"", b"x" * 1000, 502, id="no status line"),
        pytest.param(SSE_HEAD, b"1;" + b"e" * 1000, 200, id="chunk size"),
        pytest.param(SSE_HEAD + b"0\r\nX: ", b"x" * 1000, 200, id="trailer"),
        pytest.param(SSE_HEAD + b"0\r\n", b"X: y\r\n" * 100, 200, id="trailers"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10, 502, id="interim answers"),
    ],
)
async def test_an_upstream_without_an_end(beginning: bytes, piece: bytes, status: int) -> None:
    """What is no body of an answer is read up to a limit; then the upstream is hung up on and the client told."""
    play, sent = forever(beginning, piece)
    async with bench(play, Limits(stop_s=0.2)) as at:  # type: ignore[arg-type]
        async with asyncio.timeout(30):
            answer = await call(at.url, ask())
        record = await at.journal.exchange()
        assert (await call(at.url, ask("healthy"))).status == 200

    assert answer.status == status
    assert status == 502 or answer.ended == "reset"
    assert record.error is not None
    assert record.error.startswith("protocol: ")
    assert sent[0] < ENDLESS_BYTES_MAX
