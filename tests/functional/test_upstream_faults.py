"""Streams that the upstream itself breaks: passed on as they came, and recorded apart from injected faults."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import pytest

from chaosproxy.journal.lines import exchange_line
from chaosproxy.journal.traffic import ExchangeRecord, FaultHit
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from chaosproxy.wire.dialects import dialect
from tests.functional.wire_kit import (
    DONE,
    LAST_CHUNK,
    SSE_HEAD,
    Answer,
    Bench,
    Client,
    Peer,
    Request,
    answers,
    ask,
    bench,
    call,
    chunk,
    event,
    plain,
    read_chunks,
    stream,
)

FIRST, SECOND = event("one "), event("two ")
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
ERROR = dialect("openai.chat").error_event(None, None)
SILENCE_S = 0.1
Break = Callable[[Peer], Awaitable[None]]


def sends(data: bytes) -> Break:
    """A break that is bytes; the connection stays open."""

    async def play(peer: Peer) -> None:
        await peer.send(data)
        await peer.gone.wait()

    return play


def leaves(data: bytes) -> Break:
    """Bytes, and then a FIN."""

    async def play(peer: Peer) -> None:
        await peer.send(data)
        peer.writer.close()

    return play


async def resets(peer: Peer) -> None:
    """An RST."""
    peer.reset()


async def broken_stream(at: Bench, seen: asyncio.Event) -> Answer:
    """What a client gets of a stream that breaks when its first event has arrived."""
    client = await Client.connect(at.url)
    await client.send(ask())
    answer = Answer(await client.head(), [await client.chunk()])
    seen.set()
    try:
        async for piece in read_chunks(client.reader):
            answer.pieces.append(piece)
    except asyncio.IncompleteReadError as error:
        answer.pieces.append(error.partial)
        answer.ended = "fin"
    except ConnectionResetError:
        answer.ended = "reset"
    client.close()
    return answer


async def broken(how: Break, do: dict[str, object] | None = None) -> tuple[Answer, ExchangeRecord, list[FaultHit]]:
    """The answer of an upstream that breaks so, its record, and what was injected."""
    seen = asyncio.Event()

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + chunk(FIRST))
        await seen.wait()
        await how(peer)

    async with bench(play, Limits(idle_s=SILENCE_S, stop_s=0.2)) as at:
        if do is not None:
            rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": do})
            at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
        answer = await broken_stream(at, seen)
        record = await at.journal.exchange()
    return answer, record, [hit for hit in at.journal.records if isinstance(hit, FaultHit)]


BREAKS = [
    pytest.param(sends(b"ZZ\r\nxx\r\n"), b"", "reset", "reset", "protocol: the upstream broke the chunked", id="size"),
    pytest.param(sends(b""), b"", "reset", "timeout", "timeout: the upstream was silent for 0.1 s", id="stall"),
    pytest.param(leaves(b"40\r\ndata: {"), b"data: {", "fin", "fin", "incomplete: the connection ended", id="fin"),
    pytest.param(resets, b"", "reset", "reset", "reset: the connection was reset", id="rst"),
]
FLAWS = [
    pytest.param(SECOND[:9], "incomplete: the stream ended in mid-event", id="mid-event"),
    pytest.param(SECOND, "incomplete: the stream ended without its terminal event", id="no end"),
    pytest.param(ERROR, "event: the upstream sent an error event", id="error event"),
    pytest.param(ERROR + DONE, "event: the upstream sent an error event", id="error event and end"),
    pytest.param(SECOND + DONE, None, id="whole"),
    pytest.param(FINISH, None, id="finish and no end marker"),
    pytest.param(SECOND + DONE[:-1], None, id="no blank line after the end marker"),
]


@pytest.mark.parametrize(("how", "more", "ended", "received", "error"), BREAKS)
async def test_a_break_of_the_transport(how: Break, more: bytes, ended: str, received: str, error: str) -> None:
    """All that came before it arrives, then the break; the journal says whose it is."""
    answer, record, hits = await broken(how)

    assert (answer.body, answer.ended) == (FIRST + more, ended)
    assert (record.received.ended, record.received.terminal) == (received, False)
    assert (record.error or "").startswith(error)
    assert (record.attached, hits) == ([], [])


@pytest.mark.parametrize(("rest", "error"), FLAWS)
async def test_a_break_of_the_stream_with_a_clean_end(rest: bytes, error: str | None) -> None:
    """It passes byte by byte, with its clean end, and the journal says what was wrong with it."""
    answer, record, hits = await broken(sends(chunk(rest) + LAST_CHUNK))

    assert (answer.body, answer.ended) == (FIRST + rest, "end")
    assert (record.received.ended, record.sent.ended, record.error) == ("end", "end", error)
    assert hits == []


@pytest.mark.parametrize(("rest", "error"), FLAWS)
async def test_the_same_on_its_way_through_a_fault(rest: bytes, error: str | None) -> None:
    """What the upstream did wrong is told beside what was injected."""
    answer, record, _ = await broken(sends(chunk(rest) + LAST_CHUNK), {"type": "time.inter_token", "mean": "0ms"})

    assert (answer.body, answer.ended) == (FIRST + rest, "end")
    assert record.error == error
    assert record.attached == ["f"]


async def test_an_injected_break_is_none_of_the_upstream() -> None:
    """The upstream's stream was whole."""
    answer, record, hits = await broken(
        sends(chunk(SECOND + DONE) + LAST_CHUNK), {"type": "stream.truncate", "where": "token:2"}
    )

    assert answer.body == FIRST + SECOND
    assert (record.received.terminal, record.sent.terminal) == (True, False)
    assert record.error is None
    assert [hit.fault for hit in hits] == ["f"]


async def test_people_are_told_whose_break_it_was() -> None:
    """In the line about the exchange."""
    _, record, hits = await broken(sends(chunk(SECOND[:9]) + LAST_CHUNK))

    assert exchange_line(record, hits).endswith("stream 200: incomplete: the stream ended in mid-event")


async def test_a_length_that_is_too_large() -> None:
    """The client waits for as many bytes as it was promised, and gets the FIN that we got."""

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(plain(b'{"a": 1}')[:-3])
        peer.writer.close()

    async with bench(play) as at:
        answer = await call(at.url, ask(stream=False))
        record = await at.journal.exchange()

    assert (answer.body, answer.ended) == (b'{"a":', "fin")
    assert (record.received.ended, record.error) == (
        "fin",
        "incomplete: the connection ended before the body was complete",
    )


async def test_a_length_that_is_too_small() -> None:
    """What comes after it belongs to no answer: it goes to nobody, and its connection is not used again."""
    async with bench(answers(plain(b"{}") + b'"surplus"')) as at:
        client = await Client.connect(at.url)
        got = [await client.call(ask(stream=False)) for _ in range(2)]
        client.close()
        records = [await at.journal.exchange(1), await at.journal.exchange(2)]

    assert [answer.body for answer in got] == [b"{}", b"{}"]
    assert at.upstream.connections == 2
    assert [record.received.ended for record in records] == ["end", "end"]


async def test_a_flaw_of_an_error_answer_is_none() -> None:
    """Its status says that it is no stream."""
    data = stream([b"data: {}\n\n"]).replace(b"200 OK", b"503 Busy")
    async with bench(answers(data)) as at:
        await call(at.url, ask())
        record = await at.journal.exchange()

    assert record.error is None


async def test_a_compressed_body_that_is_cut_passes_unread() -> None:
    """With its clean end, byte by byte; nothing is unpacked on the way, so nobody knows (docs/limitations.md)."""
    cut = gzip.compress(b"".join([FIRST, SECOND, DONE]))[:-12]
    head = SSE_HEAD.replace(b"Transfer", b"Content-Encoding: gzip\r\nTransfer")
    async with bench(answers(head + chunk(cut) + LAST_CHUNK)) as at:
        answer = await call(at.url, ask())
        record = await at.journal.exchange()

    assert (answer.body, answer.ended) == (cut, "end")
    assert (record.received.ended, record.received.bytes, record.error) == ("end", len(cut), None)
