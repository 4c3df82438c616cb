"""Upstreams that compress although they were asked not to: their answers with faults, and without."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Mapping

import pytest

from chaosproxy.journal.traffic import ExchangeRecord
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy import unpacking
from chaosproxy.proxy.limits import MIB
from tests.functional.wire_kit import (
    LAST_CHUNK,
    SSE_HEAD,
    Answer,
    Bench,
    Client,
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
)

FRAMES = events(4)
BODY = b"".join(FRAMES)
HEAD = SSE_HEAD.replace(b"Transfer", b"Content-Encoding: gzip\r\nTransfer")
CUT = {"type": "stream.truncate", "where": "token:2"}
DELAY = {"type": "time.inter_token", "mean": "0ms"}


def packed(body: bytes, size: int) -> bytes:
    """A whole compressed answer, in chunks of so many bytes."""
    return HEAD + b"".join(chunk(body[at : at + size]) for at in range(0, len(body), size)) + LAST_CHUNK


def apply(at: Bench, do: Mapping[str, object], **common: object) -> None:
    """One fault at the bench's listener."""
    rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": do, **common})
    at.proxy.apply([rule], owner="test", lease_s=60, seed=1)


async def faulted(script: Script, do: Mapping[str, object], **common: object) -> tuple[Answer, ExchangeRecord]:
    """One streamed call under one fault."""
    async with bench(script) as at:
        apply(at, do, **common)
        answer = await call(at.url, ask())
        return answer, await at.journal.exchange()


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_fault_reads_what_is_inside(size: int) -> None:
    """Its client gets the answer as if it had come uncompressed, however it was sliced."""
    answer, record = await faulted(answers(packed(gzip.compress(BODY), size)), CUT)

    assert (answer.body, answer.ended) == (b"".join(FRAMES[:2]), "end")
    assert "content-encoding" not in answer.head.lower()
    assert (record.received.tokens, record.received.terminal, record.received.bytes) == (4, True, len(BODY))
    assert record.misses == []


async def test_events_are_not_held_back() -> None:
    """What the upstream flushed goes on at once."""
    seen = asyncio.Event()
    packer = zlib.compressobj(wbits=31)

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(HEAD + chunk(packer.compress(FRAMES[0]) + packer.flush(zlib.Z_SYNC_FLUSH)))
        await seen.wait()
        await peer.send(chunk(packer.compress(b"".join(FRAMES[1:])) + packer.flush()) + LAST_CHUNK)

    async with bench(play) as at:
        apply(at, DELAY)
        client = await Client.connect(at.url)
        await client.send(ask())
        await client.head()
        first = await client.chunk()
        seen.set()
        rest = [await client.chunk() for _ in FRAMES[1:]]
        record = await at.journal.exchange()
        client.close()

    assert [first, *rest] == FRAMES
    assert record.received.ended == "end"


async def test_a_plain_answer_with_a_length_loses_it() -> None:
    """Its length was that of the compressed body."""
    body = b'{"choices":[]}'
    data = plain(gzip.compress(body), "200 OK", "Content-Type: application/json", "Content-Encoding: gzip")
    answer, _ = await faulted(answers(data), CUT)

    assert (answer.body, answer.ended) == (body, "end")
    assert "content-length" not in answer.head.lower()


async def test_untouched_exchanges_stay_as_they_came() -> None:
    """A fault that is loaded and not chosen changes no byte."""
    data = packed(gzip.compress(BODY), 50)
    async with bench(answers(data)) as at:
        apply(at, CUT, match={"model": "other"})
        direct, proxied = await call(at.upstream.url, ask()), await call(at.url, ask())

    assert proxied.pieces == direct.pieces
    assert "Content-Encoding: gzip" in proxied.fields


async def test_bytes_are_counted_in_the_compressed_body() -> None:
    """A fault that reads no frames needs nothing unpacked."""
    whole = gzip.compress(BODY)
    answer, record = await faulted(answers(packed(whole, 50)), {"type": "stream.truncate", "where": "byte:20"})

    assert answer.body == whole[:20]
    assert "Content-Encoding: gzip" in answer.fields
    assert record.received.bytes == len(whole)


@pytest.mark.parametrize("do", [CUT, {"type": "sse.drop", "where": "token:2"}], ids=["cut", "drop"])
async def test_other_codings_are_a_miss(do: Mapping[str, object]) -> None:
    """They pass as they came, and the journal says why the fault did not act."""
    data = packed(b"whatever", 50).replace(b"gzip", b"zstd")
    answer, record = await faulted(answers(data), do)

    assert answer.body == b"whatever"
    assert [miss.reason for miss in record.misses] == ["the answer was compressed (zstd)"]


@pytest.mark.parametrize(
    ("body", "ended", "error"),
    [
        (gzip.compress(BODY)[:-9], "fin", "incomplete: the gzip body ended before it was complete"),
        (gzip.compress(BODY)[:-8] + b"12345678", "reset", "protocol: the upstream answered, but its gzip body is malf"),
        (b"no gzip at all", "reset", "protocol: the upstream answered, but its gzip body is malformed"),
        (b"", "fin", "incomplete: the gzip body ended before it was complete"),
    ],
    ids=["cut", "checksum", "plain", "empty"],
)
async def test_a_body_that_cannot_be_unpacked(body: bytes, ended: str, error: str) -> None:
    """It is the upstream's mistake, and ends the answer as it would at a client."""
    answer, record = await faulted(answers(packed(body, 50) if body else HEAD + LAST_CHUNK), DELAY)

    assert BODY.startswith(answer.body)
    assert answer.ended == record.received.ended == ended
    assert (record.error or "").startswith(error)


async def test_members_one_after_the_other() -> None:
    """They are one body."""
    body = b"".join(map(gzip.compress, FRAMES))
    answer, record = await faulted(answers(packed(body, 11)), DELAY)

    assert (answer.body, record.received.ended) == (BODY, "end")


async def test_a_body_that_would_fill_our_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut off, and its connection with it."""
    monkeypatch.setattr(unpacking, "UNPACKED_BYTES", MIB)
    gone = asyncio.Event()

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(HEAD + chunk(gzip.compress(b"x" * 8 * MIB)))
        await peer.reader.read()
        gone.set()

    answer, record = await faulted(play, DELAY)
    async with asyncio.timeout(5):
        await gone.wait()

    assert answer.ended == "reset"
    assert (record.error or "").endswith("a piece of its gzip body unpacks to more than 1 MiB")
