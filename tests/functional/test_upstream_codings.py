"""Upstreams that answer in deflate or br although they were asked for identity; gzip has a file of its own."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from chaosproxy.journal.traffic import ExchangeRecord
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy import unpacking
from chaosproxy.proxy.limits import MIB
from tests.functional.wire_kit import LAST_CHUNK, SSE_HEAD, Answer, answers, ask, bench, call, chunk, events, plain

FRAMES = events(4)
BODY = b"".join(FRAMES)
CUT = {"type": "stream.truncate", "where": "token:2"}
DELAY = {"type": "time.inter_token", "mean": "0ms"}
NO_LIBRARY = "the answer was compressed (br; chaosproxy[br] would unpack it)"


def brotli(data: bytes) -> bytes:
    """Compressed, where the library is there."""
    packed: bytes = pytest.importorskip("brotli").compress(data)
    return packed


def bare(data: bytes) -> bytes:
    """Deflate without its zlib envelope, as some servers send it."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


Pack = Callable[[bytes], bytes]
CODINGS: list[Any] = [
    pytest.param("deflate", zlib.compress, id="deflate"),
    pytest.param("deflate", bare, id="bare"),
    pytest.param("br", brotli, id="br"),
]


def packed(coding: str, body: bytes, size: int = 7) -> bytes:
    """A whole compressed answer, in chunks of so many bytes."""
    head = SSE_HEAD.replace(b"Transfer", f"Content-Encoding: {coding}\r\nTransfer".encode())
    return head + b"".join(chunk(body[at : at + size]) for at in range(0, len(body), size)) + LAST_CHUNK


async def faulted(data: bytes, do: dict[str, str]) -> tuple[Answer, ExchangeRecord]:
    """One streamed call under one fault."""
    async with bench(answers(data)) as at:
        rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": do})
        at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
        answer = await call(at.url, ask(headers="Accept-Encoding: gzip, br\r\n"))
        assert at.upstream.requests[0].field("accept-encoding") == "identity"
        return answer, await at.journal.exchange()


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_fault_reads_what_is_inside(coding: str, pack: Pack, size: int) -> None:
    """Its client gets the answer as if it had come uncompressed, however it was sliced."""
    answer, record = await faulted(packed(coding, pack(BODY), size), CUT)

    assert (answer.body, answer.ended) == (b"".join(FRAMES[:2]), "end")
    assert "content-encoding" not in answer.head.lower()
    assert (record.received.tokens, record.received.terminal, record.received.bytes) == (4, True, len(BODY))
    assert record.misses == []


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
async def test_without_a_fault_no_byte_is_touched(coding: str, pack: Pack) -> None:
    """The client gets what the upstream sent, in the coding that it may well have asked for."""
    async with bench(answers(packed(coding, pack(BODY)))) as at:
        direct, proxied = await call(at.upstream.url, ask()), await call(at.url, ask())

    assert (proxied.pieces, proxied.fields) == (direct.pieces, direct.fields)


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
async def test_a_fault_for_others_changes_no_byte(coding: str, pack: Pack) -> None:
    """It is loaded, and its match leaves this exchange out."""
    async with bench(answers(packed(coding, pack(BODY)))) as at:
        rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": CUT, "match": {"model": "other"}})
        at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
        direct, proxied = await call(at.upstream.url, ask()), await call(at.url, ask())

    assert (proxied.pieces, proxied.fields) == (direct.pieces, direct.fields)


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "plain"])
async def test_without_the_library_the_miss_names_the_extra(monkeypatch: pytest.MonkeyPatch, *, streamed: bool) -> None:
    """The answer passes as it came."""
    for name in ("brotli", "brotlicffi"):
        monkeypatch.setitem(sys.modules, name, None)
    data = packed("br", b"whatever")
    if not streamed:
        data = plain(b"whatever", "200 OK", "Content-Type: application/json", "Content-Encoding: br")
    answer, record = await faulted(data, CUT if streamed else {"type": "llm.wrong_answer", "text": "no"})

    assert answer.body == b"whatever"
    assert "Content-Encoding: br" in answer.fields
    assert [miss.reason for miss in record.misses] == [NO_LIBRARY]


async def test_an_old_library_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 1.2 it unpacks a few bytes into as much memory as somebody likes."""

    class Old:
        class Decompressor:
            def process(self, data: bytes) -> bytes:
                return data

    monkeypatch.setitem(sys.modules, "brotli", Old)
    monkeypatch.setitem(sys.modules, "brotlicffi", None)
    _, record = await faulted(packed("br", b"whatever"), CUT)

    assert [miss.reason for miss in record.misses] == [NO_LIBRARY]


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
async def test_a_body_that_is_cut_is_incomplete(coding: str, pack: Pack) -> None:
    """It is the upstream's mistake, and ends the answer as it would at a client."""
    answer, record = await faulted(packed(coding, pack(BODY)[:-5]), DELAY)

    assert BODY.startswith(answer.body)
    assert answer.ended == record.received.ended == "fin"
    assert record.error == f"incomplete: the {coding} body ended before it was complete"


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
async def test_a_body_with_something_behind_it_is_malformed(coding: str, pack: Pack) -> None:
    """Neither coding has members that could follow each other."""
    answer, record = await faulted(packed(coding, pack(BODY) + b"more"), DELAY)

    assert answer.ended == "reset"
    assert record.error == f"protocol: the upstream answered, but its {coding} body is malformed"


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
async def test_a_body_that_would_fill_our_memory(monkeypatch: pytest.MonkeyPatch, coding: str, pack: Pack) -> None:
    """It is cut off."""
    monkeypatch.setattr(unpacking, "UNPACKED_BYTES", MIB)
    answer, record = await faulted(packed(coding, pack(b"x" * 8 * MIB), 100_000), DELAY)

    assert answer.ended == "reset"
    assert (record.error or "").endswith(f"a piece of its {coding} body unpacks to more than 1 MiB")
