"""Requests on their way to an upstream: their bytes, and bodies that are too large to keep."""

from __future__ import annotations

import asyncio

import pytest

from chaosproxy.proxy.edges import Question
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.asking_kit import PATIENCE_S, Source, asking, on_each_loop, question, serving
from tests.functional.wire_kit import (
    LAST_CHUNK,
    PATH,
    Client,
    Journal,
    Peer,
    Request,
    answers,
    bench,
    call,
    chunk,
    plain,
    upstream,
)

KEPT = b"k" * (8 * 1024 * 1024)
"""More than a socket and a transport take at once."""
PIECE = b"p" * 65536


@pytest.mark.parametrize(
    ("asked", "fields", "body"),
    [
        (question("GET"), [], b""),
        (question("DELETE"), [], b""),
        (question("POST", headers=(), body=None), ["Content-Length: 0"], b""),
        (question("POST"), ["Content-Length: 2"], b"hi"),
        (question("GET", headers=(("X-a", "1"), ("x-A", "\udcff"))), ["X-a: 1", "x-A: \udcff"], b""),
        (question(headers=(), body=b"hi"), ["Content-Length: 2"], b"hi"),
        (question("GET", body=b"hi"), ["Content-Length: 2"], b"hi"),
        (question(headers=(), body=b"hi", chunked=True), ["Transfer-Encoding: chunked"], b"2\r\nhi\r\n0\r\n\r\n"),
        (question(headers=(), body=None, chunked=True), ["Transfer-Encoding: chunked"], b"0\r\n\r\n"),
    ],
)
async def test_the_bytes_of_a_request(asked: Question, fields: list[str], body: bytes) -> None:
    """Request line, Host, the fields as they came, how the body ends, and the body."""
    async with asking("http://Upstream.example:80/v1") as edge:
        sent = b"".join(edge.upstream.request(asked))

    head, _, rest = sent.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    assert lines == [f"{asked.method} /v1/x HTTP/1.1", "Host: upstream.example", *fields]
    assert rest == body


@pytest.mark.parametrize("chunked", [False, True])
@on_each_loop
async def test_a_large_body_waits_for_a_slow_upstream(*, chunked: bool) -> None:
    """The client is stopped from the first byte on while the upstream does not read, and all of it arrives."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await readable.wait()
        got.append(await reader.readexactly(len(expected) + len(head)))
        writer.write(plain(b"{}"))
        await reader.read()

    rest = Source()
    asked = question(headers=(), body=KEPT, rest=rest, chunked=True)
    expected = chunk(KEPT) + chunk(PIECE) + LAST_CHUNK
    if not chunked:
        asked = question(headers=(("Content-Length", str(len(KEPT + PIECE))),), body=KEPT, rest=rest)
        expected = KEPT + PIECE
    readable, got = asyncio.Event(), list[bytes]()
    async with serving(serve) as port, asking(f"http://127.0.0.1:{port}") as edge:
        head = b"".join(edge.upstream.request(asked)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        receiver, _ = edge(asked)
        sink = await rest.started()
        async with asyncio.timeout(PATIENCE_S):
            await rest.paused.wait()
        assert rest.calls == ["start", "pause"]
        readable.set()
        async with asyncio.timeout(PATIENCE_S):
            await rest.resumed.wait()
        sink.body_data(PIECE)
        sink.body_end()
        assert (await receiver.over()).body == b"{}"
        assert len(edge.upstream.pool) == 1

    assert got[0].removeprefix(head) == expected


@on_each_loop
async def test_an_answer_before_the_end_of_the_request() -> None:
    """It counts; the connection is given up, and what the client still sends goes nowhere."""
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(plain(b"no", "413 Content Too Large"))
        while await reader.read(65536):
            pass
        gone.set()

    rest = Source()
    async with serving(serve) as port, asking(f"http://127.0.0.1:{port}", Limits(pooled_s=60)) as edge:
        receiver, _ = edge(question(headers=(("Content-Length", "100"),), body=b"x", rest=rest))
        sink = await rest.started()
        await receiver.over()
        sink.body_data(b"y" * 99)
        sink.body_end()
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()
        assert len(edge.upstream.pool) == 0

    assert (receiver.body, receiver.calls) == (b"no", ["head", "data", "end"])


async def test_a_client_cannot_have_the_length_of_its_body_taken_away() -> None:
    """A Connection field that names it would make the body look like another request (RFC 9110, 7.6.1)."""
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    head = f"GET {PATH} HTTP/1.1\r\nHost: h\r\nConnection: content-length, x-hop\r\nX-Hop: gone\r\n"
    async with bench(answers(plain(b"{}"))) as at:
        await call(at.url, f"{head}Content-Length: {len(smuggled)}\r\n\r\n".encode() + smuggled)

    assert [request.body for request in at.upstream.requests] == [smuggled]
    assert at.upstream.requests[0].field("x-hop") is None


async def test_a_body_that_was_streamed_is_not_asked_twice() -> None:
    """Not even where the method allows it: its bytes are gone."""

    async def play(request: Request, peer: Peer) -> None:
        if len(server.requests) == 2:
            peer.writer.close()
        else:
            await peer.send(plain(b"{}"))

    async with upstream(play) as server, asking(server.url) as edge:
        await edge(question("PUT", headers=(("Content-Length", "0"),)))[0].over()
        rest = Source()
        receiver, _ = edge(question("PUT", headers=(("Content-Length", "2"),), body=b"h", rest=rest))
        sink = await rest.started()
        sink.body_data(b"i")
        sink.body_end()
        await receiver.over()

    assert receiver.failure == f"reset: {server.url} closed the connection without an answer"
    assert len(server.requests) == 2


async def test_a_slow_upstream_stops_the_client_of_a_large_upload() -> None:
    """Through the whole proxy: what has left the client is bounded until the upstream reads."""
    total = 64 * 1024 * 1024
    readable = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await readable.wait()
        got.append(len(await reader.readexactly(total)))
        writer.write(plain(b"{}"))
        await reader.read()

    got: list[int] = []
    sent = 0

    async def upload(client: Client) -> None:
        nonlocal sent
        await client.send(f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: {total}\r\n\r\n".encode())
        while sent < total:
            await client.send(PIECE)
            sent += len(PIECE)

    async with serving(serve, limit=1024) as port:
        spec = ListenerSpec("a", ":0", f"http://127.0.0.1:{port}")
        async with Proxy([spec], record=Journal().add) as proxy:
            client = await Client.connect(proxy.urls["a"])
            client.writer.transport.set_write_buffer_limits(0)
            uploading = asyncio.create_task(upload(client))
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.2)
            stuck_at = sent
            readable.set()
            answer = await client.read()
            await uploading
            client.close()

    assert stuck_at < total / 3
    assert (answer.body, got) == (b"{}", [total])
