"""What must be unpacked, parsed or kept is bounded, whatever a peer makes of it."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from chaosproxy.experiment.probe_kinds import HttpProbe, PrometheusProbe
from chaosproxy.journal.records import from_line, to_line
from chaosproxy.plan.identity import CALL_CHARS
from chaosproxy.plan.rule import Rule
from chaosproxy.probes import http, prometheus
from chaosproxy.proxy.codings import brotli_library
from chaosproxy.proxy.limits import MIB
from chaosproxy.proxy.reception import MODEL_CHARS
from tests.functional.wire_kit import (
    LAST_CHUNK,
    PATH,
    SSE_HEAD,
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
    stream,
)
from tests.security.raw_kit import recorder

BOMB_BYTES = 96 * MIB
PEAK_BYTES = 40 * MIB
"""Far less than a bomb, and more than all the buffers of one exchange."""
SLICE_BYTES = 1000
DROP = {"type": "sse.drop", "where": "event:5"}
NESTED = b"[" * 1_000_000


@contextmanager
def bounded() -> Iterator[None]:
    """Python's own memory grows by less than PEAK_BYTES inside."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < PEAK_BYTES
    finally:
        tracemalloc.stop()


def sliced(coding: str, packed: bytes) -> Script:
    """A streamed answer in this coding, so finely cut that no piece of it alone is too much."""

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD.replace(b"Transfer", b"Content-Encoding: %b\r\nTransfer" % coding.encode()))
        for at in range(0, len(packed), SLICE_BYTES):
            await peer.send(chunk(packed[at : at + SLICE_BYTES]))
        await peer.send(LAST_CHUNK)

    return play


async def read_away(at: Bench) -> int:
    """Ask, and forget the body while it comes; its bytes with their framing."""
    client = await Client.connect(at.url)
    await client.send(ask())
    await client.head()
    size, tail = 0, b""
    while not tail.endswith(LAST_CHUNK) and (data := await client.reader.read(1 << 16)):
        size, tail = size + len(data), tail[-8:] + data
    client.close()
    return size


def apply(at: Bench) -> None:
    """A fault that must read all events, and meets none."""
    rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": DROP})
    at.proxy.apply([rule], owner="test", lease_s=600, seed=1)


def packed_as(coding: str) -> bytes:
    """An event without an end."""
    bomb = b"data: " + bytes(BOMB_BYTES)
    match coding:
        case "gzip":
            return gzip.compress(bomb, 9)
        case "deflate":
            return zlib.compress(bomb, 9)
    library = brotli_library()
    assert library is not None
    return bytes(library.compress(bomb, quality=5))


@pytest.mark.slow
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_a_zip_bomb_under_a_fault(coding: str) -> None:
    """What a packet of it unpacks to is bounded: one of more is the upstream's mistake, which ends the answer."""
    packed = packed_as(coding)
    async with bench(sliced(coding, packed)) as at:
        apply(at)
        with bounded(), suppress(ConnectionResetError):
            await read_away(at)
        record = await at.journal.exchange()

    assert (record.sent.ended, record.received.ended) == ("reset", "reset")
    assert record.error is not None
    assert record.error.endswith(f"its {coding} body unpacks to more than 16 MiB")
    assert record.received.bytes < BOMB_BYTES // 2


@pytest.mark.slow
async def test_much_that_comes_slowly_passes_unpacked() -> None:
    """What is well packed and no bomb is unpacked at its client's pace, also where one event has no end."""
    packed = gzip.compress(b"data: " + bytes(BOMB_BYTES), 9)

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD.replace(b"Transfer", b"Content-Encoding: gzip\r\nTransfer"))
        for at in range(0, len(packed), SLICE_BYTES):
            await peer.send(chunk(packed[at : at + SLICE_BYTES]))
            await asyncio.sleep(0.02)
        await peer.send(LAST_CHUNK)

    async with bench(play) as at:
        apply(at)
        with bounded():
            await read_away(at)
        record = await at.journal.exchange()

    assert (record.received.ended, record.received.bytes) == ("end", BOMB_BYTES + 6)


@pytest.mark.slow
async def test_an_event_without_an_end() -> None:
    """With no fault its bytes pass at once, and what counts events does not keep them."""
    piece = chunk(bytes(MIB))

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD)
        for _ in range(BOMB_BYTES // MIB):
            await peer.send(piece)
        await peer.send(LAST_CHUNK)

    async with bench(play) as at:
        with bounded():
            await read_away(at)
        record = await at.journal.exchange()

    assert (record.received.ended, record.received.bytes) == ("end", BOMB_BYTES)


async def test_a_bomb_in_a_bomb() -> None:
    """Two codings are not taken off one after the other: the answer passes as it came, and the fault is a miss."""
    packed = gzip.compress(gzip.compress(bytes(MIB)))
    async with bench(sliced("gzip, gzip", packed)) as at:
        apply(at)
        answer = await call(at.url, ask())
        record = await at.journal.exchange()

    assert answer.body == packed
    assert [miss.reason for miss in record.misses] == ["the answer was compressed (gzip, gzip)"]


def asking(body: bytes, headers: str = "") -> bytes:
    """A request with this body."""
    return f"POST {PATH} HTTP/1.1\r\nHost: h\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("body", [NESTED, b'{"messages":' * 100_000, b'{"model":' + NESTED + b"}"])
async def test_json_that_is_nested_without_end_in_a_request(body: bytes) -> None:
    """It says nothing of a model, and passes."""
    async with bench(answers(plain(b"{}"))) as at:
        answer = await call(at.url, asking(body))
        record = await at.journal.exchange()

    assert (answer.status, record.model) == (200, None)
    assert at.upstream.requests[0].body == body


@pytest.mark.parametrize(
    "data",
    [plain(NESTED, "200 OK", "Content-Type: application/json"), stream([b"data: " + NESTED + b"\n\n", *events(2)])],
    ids=["answer", "event"],
)
async def test_json_that_is_nested_without_end_in_an_answer(data: bytes) -> None:
    """It is content that says nothing, and passes; with a fault at work too."""
    async with bench(answers(data)) as at:
        direct = await call(at.upstream.url, ask())
        plainly = await call(at.url, ask())
        apply(at)
        under_a_fault = await call(at.url, ask())

    assert direct.body == plainly.body == under_a_fault.body


@pytest.mark.parametrize("kind", ["http", "prometheus"])
@pytest.mark.parametrize("body", [NESTED, gzip.compress(bytes(BOMB_BYTES), 9)], ids=["nested", "bomb"])
async def test_a_probe_reads_with_care(kind: str, body: bytes) -> None:
    """An endless or an absurd answer is a failed look, and no end of the run."""
    coding = () if body is NESTED else ("Content-Encoding: gzip",)
    async with recorder(plain(body, "200 OK", "Content-Type: application/json", *coding)) as asked:
        with bounded():
            async with asyncio.timeout(60):
                if kind == "http":
                    values = {"id": "p", "http": asked.url, "expect": {"json": {"a.b": "c"}}}
                    seen = await http.look(HttpProbe.model_validate(values))
                else:
                    query = {"id": "p", "prometheus": asked.url, "query": "up"}
                    seen = await prometheus.look(PrometheusProbe.model_validate(query))

    assert seen.outcome in ("failed", "unknown")
    assert len(seen.detail) < 200


async def test_names_are_kept_short() -> None:
    """A model or a call whose name has megabytes fills neither the journal nor what counts attempts."""
    long = "m" * 100_000
    async with bench(answers(plain(b"{}"))) as at:
        await call(at.url, asking(json.dumps({"model": long}).encode(), f"x-chaosproxy-call: {long[:30_000]}\r\n"))
        await call(at.url, asking(b"{}", f"x-chaosproxy-call: {long[:29_999]}\r\n"))
        first, second = await at.journal.exchange(1), await at.journal.exchange(2)

    assert first.model == long[:MODEL_CHARS]
    assert first.call is not None
    assert second.call is not None
    assert max(len(first.call), len(second.call)) <= CALL_CHARS
    assert first.call != second.call


async def test_a_model_that_is_no_text() -> None:
    """Half a character and control characters become a line of ASCII like any other."""
    async with bench(answers(plain(b"{}"))) as at:
        await call(at.url, asking(b'{"model":"\\ud800\\u001b[31m"}', "x-chaosproxy-call: \x80\r\n"))
        record = await at.journal.exchange()

    line = to_line(record)
    assert line.isascii()
    assert b"\x1b" not in line
    assert from_line(line).type == "exchange"
