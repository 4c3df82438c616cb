"""The strict response reader."""

from __future__ import annotations

import gzip

import pytest

from chaosproxy.lab.load.http1 import HEAD_LIMIT_BYTES, ResponseReader
from tests.wire.splitting import feedings

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def _read(pieces: list[bytes]) -> tuple[ResponseReader, bytes]:
    reader = ResponseReader()
    return reader, b"".join(map(reader.feed, pieces))


@pytest.mark.parametrize(
    ("raw", "status", "body", "reusable"),
    [
        (COUNTED + b"hello", 200, b"hello", True),
        (CHUNKED + b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n", 200, b"hello!", True),
        (CHUNKED + b"A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", 200, b"0123456789", True),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 503, b"", True),
        (b"HTTP/1.1 200\r\ncontent-length:2\r\n\r\nok", 200, b"ok", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + COUNTED + b"hello", 200, b"hello", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
        (COUNTED + b"hello, and more", 200, b"hello", False),
    ],
)
def test_whole_response_is_read_at_any_split(raw: bytes, status: int, body: bytes, *, reusable: bool) -> None:
    """Status, body and the fitness for another request do not depend on how the bytes came."""
    for pieces in feedings(raw):
        reader, got = _read(pieces)

        assert (reader.status, got, reader.done, reader.flaw, reader.reusable) == (status, body, True, None, reusable)


def test_gzip_that_nobody_asked_for_is_read() -> None:
    """SDKs decode it, so it is no error."""
    packed = gzip.compress(b"hello")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    for pieces in feedings(head + packed):
        assert _read(pieces)[1] == b"hello"


@pytest.mark.parametrize(
    ("raw", "body", "flaw"),
    [
        (b"HTTX nope\r\n\r\n", b"", "status line"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", b"", "header field"),
        (b"HTTP/1.1 200 OK\r\nname : x\r\n\r\n", b"", "header field"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", b"", "content-length"),
        (CHUNKED + b"5\r\nhello\r\nzz\r\n!\r\n", b"hello", "chunk-size"),
        (CHUNKED + b"3\r\nhello\r\n0\r\n\r\n", b"hel", "longer than its size"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain", b"", "incorrect header"),
    ],
)
def test_flaw_is_named_and_loses_nothing_before_it(raw: bytes, body: bytes, flaw: str) -> None:
    """What came before the flaw is delivered, at any split, and nothing after it is."""
    for pieces in feedings(raw):
        reader, got = _read([*pieces, b"more"])

        assert got == body
        assert flaw in (reader.flaw or "")
        assert not reader.done
        assert not reader.end()
        assert not reader.reusable


@pytest.mark.parametrize("prefix", [b"", CHUNKED])
def test_endless_line_is_refused(prefix: bytes) -> None:
    """A head or chunk-size line has a limit."""
    reader, _ = _read([prefix, b"1" * (HEAD_LIMIT_BYTES + 1)])

    assert "too long" in (reader.flaw or "")


def test_end_of_connection_ends_a_body_without_a_length() -> None:
    """Only then is a close the proper end."""
    reader, body = _read([b"HTTP/1.1 200 OK\r\n\r\nhello"])

    assert (body, reader.done, reader.end(), reader.reusable) == (b"hello", False, True, False)


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200", COUNTED + b"hell", CHUNKED + b"5\r\nhello\r\n"])
def test_early_end_is_not_complete(raw: bytes) -> None:
    """A connection that ends before the framing says so has cut the response."""
    assert not _read([raw])[0].end()
