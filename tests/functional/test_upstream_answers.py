"""What an upstream answers, and how it stops: each answer as it stood on the wire, each end by its name."""

from __future__ import annotations

import asyncio

import pytest

from chaosproxy.events import Framing
from chaosproxy.proxy.limits import Limits
from tests.functional.asking_kit import PATIENCE_S, asking, on_each_loop, question
from tests.functional.wire_kit import (
    LAST_CHUNK,
    SSE_HEAD,
    Peer,
    Request,
    Script,
    answers,
    ask,
    bench,
    call,
    chunk,
    events,
    plain,
    upstream,
)


def says(*packets: bytes, then: str = "") -> Script:
    """A script that sends packets one after the other, and then waits, or ends the connection."""

    async def play(request: Request, peer: Peer) -> None:
        for packet in packets:
            await peer.send(packet)
            await asyncio.sleep(0.005)
        if then == "fin":
            peer.writer.close()
        elif then == "reset":
            peer.reset()
        else:
            await peer.gone.wait()

    return play


@on_each_loop
async def test_a_malformed_chunk_in_the_packet_of_the_head() -> None:
    """Status, fields and all that came before it reach the client, and then the break."""
    data = SSE_HEAD + chunk(events(1)[0]) + b"ZZ\r\nbroken\r\n"
    async with bench(says(data)) as at:
        answer = await call(at.url, ask())
        record = await at.journal.exchange()

    assert (answer.status, answer.body, answer.ended) == (200, events(1)[0], "reset")
    assert (record.error or "").startswith("protocol: the upstream broke the chunked encoding")


@pytest.mark.parametrize(
    ("packets", "then", "failure"),
    [
        ((), "fin", "reset: {} closed the connection without an answer"),
        ((), "reset", "reset: {} closed the connection without an answer"),
        ((b"HTTP/1.1 200 OK\r\nA:",), "fin", "reset: {} closed the connection without an answer"),
        ((b"SSH-2.0-OpenSSH_9.6\r\n",), "", "protocol: {} did not answer in HTTP: no HTTP status line"),
        ((b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",), "", "protocol: {} did not answer in HTTP: a header field is mal"),
        ((b"HTTP/1.1 200 OK\r\nA: " + b"x" * 40_000,), "", "protocol: {} did not answer in HTTP: the head is too l"),
        ((b"HTTP/1.1 101 Hello\r\nUpgrade: x\r\n\r\n",), "", "protocol: {} did not answer in HTTP: it switched proto"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",), "", "protocol: {} did not answer in"),
        ((plain(b"hello")[:-1],), "fin", "incomplete: the connection ended before the body was complete"),
        ((plain(b"hello")[:-1],), "reset", "reset: the connection was reset"),
        ((SSE_HEAD + chunk(b"hell"),), "fin", "incomplete: the connection ended before the body was complete"),
        ((SSE_HEAD + chunk(b"hell"),), "reset", "reset: the connection was reset"),
        ((SSE_HEAD + chunk(b"hell") + b"3\r\nabcd\r\n",), "", "protocol: the upstream broke the chunked encoding: a "),
        ((b"HTTP/1.1 200 OK\r\n\r\nhell",), "reset", "reset: the connection was reset"),
    ],
)
@on_each_loop
async def test_how_an_upstream_fails(packets: tuple[bytes, ...], then: str, failure: str) -> None:
    """Each kind has its name and its words; what came before it was delivered, and nothing comes after it."""
    async with upstream(says(*packets, then=then)) as server, asking(server.url) as edge:
        receiver = await edge()[0].over()
        assert len(edge.upstream.pool) == 0

    assert receiver.failure.startswith(failure.format(server.url))
    assert receiver.calls.count("failed") == 1
    assert receiver.body[:4] == (b"hell" if b"hell" in b"".join(packets) else b"")


@on_each_loop
async def test_a_body_without_length_ends_with_a_fin() -> None:
    """That is its proper end."""
    async with upstream(says(b"HTTP/1.1 200 OK\r\n\r\nhe", b"llo", then="fin")) as server, asking(server.url) as edge:
        receiver = await edge()[0].over()

    assert (receiver.body, receiver.calls[-1]) == (b"hello", "end")


@on_each_loop
async def test_interim_answers_are_skipped() -> None:
    """However many come, alone or in one packet with the answer."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    async with upstream(says(interim, interim + plain(b"{}"))) as server, asking(server.url) as edge:
        receiver = await edge()[0].over()

    assert receiver.head is not None
    assert (receiver.head.status, receiver.body) == (200, b"{}")


@on_each_loop
async def test_an_answer_byte_by_byte() -> None:
    """Head, chunks and trailers may be cut anywhere."""
    raw = SSE_HEAD + chunk(b"ab") + b"0\r\nTrailer: x\r\n\r\n"

    async def play(request: Request, peer: Peer) -> None:
        for offset in range(len(raw)):
            await peer.send(raw[offset : offset + 1])
            await asyncio.sleep(0)

    async with upstream(play) as server, asking(server.url) as edge:
        receiver = await edge()[0].over()
        assert len(edge.upstream.pool) == 1

    assert (receiver.body, receiver.calls[-1]) == (b"ab", "end")


async def test_chunks_count_more_than_a_length() -> None:
    """Of an answer that names both, the length does not go on to the client (RFC 9112, 6.3)."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with upstream(answers(head + chunk(b"hello") + LAST_CHUNK)) as server, asking(server.url) as edge:
        receiver = await edge()[0].over()

    assert receiver.head is not None
    assert (receiver.head.framing, receiver.head.headers, receiver.body) == (
        Framing.CHUNKED,
        (("X", "y"),),
        b"hello",
    )


async def test_silence_counts_only_while_it_is_awaited() -> None:
    """A paused answer may rest for longer than the limit; one that is read may not."""
    first, second = chunk(b"1"), chunk(b"2")

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + first)
        await resumed.wait()
        await peer.send(second)
        await peer.gone.wait()

    resumed = asyncio.Event()
    async with upstream(play) as server, asking(server.url, Limits(idle_s=0.7)) as edge:
        receiver, asked = edge()
        await receiver.until("data")
        asked.pause()
        await asyncio.sleep(1.0)
        assert receiver.error is None
        asked.resume()
        resumed.set()
        await receiver.over()

    assert receiver.body == b"12"
    assert receiver.failure == "timeout: the upstream was silent for 0.7 s"


@on_each_loop
async def test_a_paused_question_is_not_read() -> None:
    """The upstream is stopped by TCP after what fits into buffers, and everything comes after the resume."""
    total = 64 * 1024 * 1024

    async def play(request: Request, peer: Peer) -> None:
        peer.writer.transport.set_write_buffer_limits(0)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        for _ in range(total // 65536):
            writing.append(len(writing))
            await peer.send(b"x" * 65536)

    writing: list[int] = []
    async with upstream(play) as server, asking(server.url) as edge:
        receiver, asked = edge()
        await receiver.until("data")
        asked.pause()
        before = -1
        while before != len(writing):
            before = len(writing)
            await asyncio.sleep(0.05)
        pieces = len(receiver.pieces)
        assert len(writing) * 65536 < total
        await asyncio.sleep(0.01)
        assert len(receiver.pieces) == pieces
        asked.resume()
        await receiver.over()

    assert len(receiver.body) == total


async def test_head_answers_have_no_body() -> None:
    """Whatever length they name; the connection is used again."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    async with upstream(answers(answer)) as server, asking(server.url) as edge:
        for _ in range(2):
            async with asyncio.timeout(PATIENCE_S):
                assert (await edge(question("HEAD"))[0].over()).calls == ["head", "end"]

    assert server.connections == 1
