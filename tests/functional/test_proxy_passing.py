"""Without a fault a proxy is not there: bytes, fields, chunks and connections pass as they came."""

from __future__ import annotations

import asyncio
import gzip
from random import Random

import pytest

from tests.functional.wire_kit import (
    DONE,
    LAST_CHUNK,
    PATH,
    SSE_HEAD,
    Client,
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


@pytest.mark.parametrize("seed", range(8))
async def test_bodies_pass_byte_by_byte(seed: int) -> None:
    """A random body in random chunks arrives as it would without us, chunk for chunk."""
    dice = Random(seed)
    pieces = [dice.randbytes(dice.choice([1, 7, 100, 5000])) for _ in range(dice.randint(1, 12))]
    data = b"HTTP/1.1 200 OK\r\nX-Odd-CASE: a, b\r\nx-empty:\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
    data += b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(map(chunk, pieces)) + LAST_CHUNK
    async with bench(answers(data)) as at:
        direct, proxied = await call(at.upstream.url, ask()), await call(at.url, ask())

    assert proxied.pieces == direct.pieces == pieces
    assert [line.rstrip() for line in proxied.fields] == [line.rstrip() for line in direct.fields]


async def test_a_compressed_body_passes_compressed() -> None:
    """A content coding is the client's business: nothing is unpacked on the way."""
    body = gzip.compress(b"{}" * 100)
    async with bench(answers(plain(body, "200 OK", "Content-Encoding: gzip"))) as at:
        answer = await call(at.url, ask())

    assert answer.body == body
    assert "Content-Encoding: gzip" in answer.fields


async def test_a_request_reaches_the_upstream_as_it_was() -> None:
    """Fields keep order and case, path and query their bytes; only hop-by-hop fields and ours are taken out."""
    body = b'{"a": "\xc3\xa4"}'
    sent = (
        b"POST /a%2Fb/%C3%A4?x=%zz&y=1+2 HTTP/1.1\r\nHost: here\r\nX-B: 1\r\nx-a: 2\r\n"
        b"Connection: keep-alive, x-hop\r\nX-Hop: gone\r\nTE: trailers\r\n"
        b"x-chaosproxy-call: c1\r\nx-chaosproxy-other: gone\r\nAuthorization: Bearer s\r\n"
        b"Content-Length: 11\r\n\r\n" + body
    )
    async with bench(answers(plain(b""))) as at:
        await call(at.url, sent)
        got = at.upstream.requests[0]

    assert got.line == "POST /a%2Fb/%C3%A4?x=%zz&y=1+2 HTTP/1.1"
    assert got.body == body
    assert got.fields == [
        f"Host: {at.upstream.url.removeprefix('http://')}",
        "X-B: 1",
        "x-a: 2",
        "x-chaosproxy-call: c1",
        "Authorization: Bearer s",
        "Content-Length: 11",
    ]


async def test_repeated_fields_all_reach_the_upstream() -> None:
    """In their order and in their own spelling."""
    sent = b"GET / HTTP/1.1\r\nHost: h\r\nAnthropic-Beta: a\r\nX-A: 1\r\nanthropic-beta: b\r\nANTHROPIC-BETA: c\r\n\r\n"
    async with bench(answers(plain(b""))) as at:
        await call(at.url, sent)
        got = at.upstream.requests[0]

    assert got.fields[1:] == ["Anthropic-Beta: a", "X-A: 1", "anthropic-beta: b", "ANTHROPIC-BETA: c"]


async def test_a_large_upload_streams_through() -> None:
    """A body beyond the read limit reaches the upstream whole, and the journal knows nothing of what it said."""
    body = b'{"model": "m", "x": "' + b"y" * 9_000_000 + b'"}'
    request = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    request += chunk(body[:5_000_000]) + chunk(body[5_000_000:]) + LAST_CHUNK
    async with bench(answers(plain(b"{}"))) as at:
        answer = await call(at.url, request)
        record = await at.journal.exchange()

    assert answer.status == 200
    assert at.upstream.requests[0].body == body
    assert record.model is None


async def test_connections_are_kept_on_both_sides() -> None:
    """Ten requests on one client connection cost the upstream one connection."""
    async with bench(answers(stream(events(2)))) as at:
        client = await Client.connect(at.url)
        bodies = {(await client.call(ask())).body for _ in range(10)}
        client.close()

    assert bodies == {b"".join(events(2))}
    assert at.upstream.connections == 1


async def test_connection_close_is_honoured() -> None:
    """A client that asks for it gets the end of the connection after the answer."""
    async with bench(answers(plain(b"{}"))) as at:
        client = await Client.connect(at.url)
        answer = await client.call(ask(headers="Connection: close\r\n"))

        assert "Connection: close" in answer.fields
        assert await client.reader.read() == b""
        client.close()


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"),
    ],
)
async def test_answers_without_a_body(method: str, data: bytes) -> None:
    """After HEAD, 204 and 304 there is no body, and the connection goes on."""
    async with bench(answers(data)) as at:
        client = await Client.connect(at.url)
        for _ in range(2):
            await client.send(f"{method} / HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            answer = await client.read(has_body=False)
            assert answer.head.encode() + b"\r\n\r\n" == data
        client.close()


async def test_http_1_0_clients_get_a_body_that_ends_with_the_connection() -> None:
    """They know no chunks."""
    request = f"GET {PATH} HTTP/1.0\r\nHost: h\r\n\r\n".encode()
    async with bench(answers(stream(events(3)))) as at:
        answer = await call(at.url, request)

    assert "chunked" not in answer.head
    assert answer.body == b"".join(events(3))


async def test_expect_continue_is_answered() -> None:
    """A client that waits for 100 before it sends its body gets it from us."""
    async with bench(answers(plain(b"{}"))) as at:
        client = await Client.connect(at.url)
        await client.send(
            f"POST {PATH} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode()
        )
        assert await client.head() == "HTTP/1.1 100 Continue"
        assert (await client.call(b"{}")).status == 200
        client.close()

    assert at.upstream.requests[0].field("expect") is None


async def test_events_pass_without_waiting() -> None:
    """The client has an event before the upstream sends the next, even when it came in two parts."""
    sent = asyncio.Queue[bytes]()

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD)
        while data := await sent.get():
            await peer.send(chunk(data))
        await peer.send(LAST_CHUNK)

    whole = event("whole")
    async with bench(play) as at:
        client = await Client.connect(at.url)
        await client.send(ask())
        await client.head()
        for data in (whole, whole[:9], whole[9:], DONE):
            sent.put_nowait(data)
            assert await client.chunk() == data
        sent.put_nowait(b"")
        client.close()
        await at.journal.exchange()


async def test_many_clients_at_once() -> None:
    """Each gets its own answer, whole."""
    async with bench(answers(stream(events(20)))) as at:
        all_answers = await asyncio.gather(*(call(at.url, ask(f"cp-abcd-{number}")) for number in range(20)))

    assert {answer.body for answer in all_answers} == {b"".join(events(20))}
