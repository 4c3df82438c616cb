"""HTTP/1.1 responses: every split, every framing, and what two readers could read in two ways."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.events import Framing
from chaosproxy.wire.http1 import (
    LINE_LIMIT_BYTES,
    BodyReader,
    Broken,
    ChunkedBody,
    CountedBody,
    EndlessBody,
    ResponseHead,
    body_reader,
    head_end,
    read_head,
)
from tests.wire.splitting import feedings, pieces_of

LIMIT_BYTES = 1000


def _head(*fields: str, status_line: str = "HTTP/1.1 200 OK") -> ResponseHead:
    return read_head("\r\n".join([status_line, *fields, "", ""]).encode("utf-8", "surrogateescape"))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _feed(body: BodyReader, pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    """What comes out, and what came after the end; fed no longer than it may be."""
    got: list[bytes] = []
    for number, piece in enumerate(pieces):
        if body.complete or body.flaw is not None:
            return got, body.surplus + b"".join(pieces[number:])
        if piece:
            got += body.feed(piece)
    return got, body.surplus


# heads ---------------------------------------------------------------------------------------------------------------


def test_a_head_keeps_the_very_bytes_of_its_fields() -> None:
    """Order, case, repeats and bytes that are no UTF-8 stay; only the white space around a value goes."""
    raw = b"HTTP/1.1 404 Not \xe4 Found\r\nX-B: 1\r\nx-a:\t\xff\xc3\xa4 \r\nX-B: 2\r\nEmpty:\r\n\r\n"
    head = read_head(raw)

    assert (head.status, head.reason.encode("utf-8", "surrogateescape")) == (404, b"Not \xe4 Found")
    fields = [tuple(text.encode("utf-8", "surrogateescape") for text in pair) for pair in head.headers]
    assert fields == [(b"X-B", b"1"), (b"x-a", b"\xff\xc3\xa4"), (b"X-B", b"2"), (b"Empty", b"")]


@pytest.mark.parametrize(
    ("raw", "reason", "fields"),
    [
        (b"HTTP/1.1 200 OK\nA: 1\nB: 2\n\n", "OK", (("A", "1"), ("B", "2"))),
        (b"HTTP/1.1 200 OK\r\nA: 1\n\r\n", "OK", (("A", "1"),)),
        (b"HTTP/1.1 200\r\nA: 1\r\n\r\n", "", (("A", "1"),)),
        (b"HTTP/1.1 200 \r\n\r\n", "", ()),
        (b"HTTP/1.0 200 OK\r\nA: 1\r\n  2\r\n\t3\r\nB: 4\r\n\r\n", "OK", (("A", "1 2 3"), ("B", "4"))),
    ],
)
def test_what_real_servers_do_is_forgiven(raw: bytes, reason: str, fields: tuple[tuple[str, str], ...]) -> None:
    """Lines that end with LF, a missing reason, folded fields."""
    head = read_head(raw)

    assert head_end(raw, LIMIT_BYTES) == len(raw)
    assert (head.status, head.reason, head.headers) == (200, reason, fields)


@pytest.mark.parametrize(
    ("raw", "flaw"),
    [
        (b"HTTP/2 200 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 200OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "header field"),
        (b"HTTP/1.1 200 OK\r\nname : x\r\n\r\n", "header field"),
        (b"HTTP/1.1 200 OK\r\n: x\r\n\r\n", "header field"),
        (b"HTTP/1.1 200 OK\r\n A: folded to nothing\r\n\r\n", "header field"),
        (b"HTTP/1.1 200 OK\r\nA: 1\rB: 2\r\n\r\n", "header field"),
        (b"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n", "header field"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", "content-length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", "content-length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: \xd9\xa5\r\n\r\n", "content-length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "content-length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "content-length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "content-length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "transfer coding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n", "transfer coding"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(raw: bytes, flaw: str) -> None:
    """Whoever reads the other way would find another end of the body: the way to smuggle a response."""
    with pytest.raises(Broken, match=flaw):
        read_head(raw)


def test_a_head_has_a_limit_at_any_split() -> None:
    """One byte more than the limit is refused, whether its end has come or not."""
    raw = b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100 + b"\r\n\r\n"

    assert head_end(raw, len(raw)) == len(raw)
    assert head_end(raw[:-1], len(raw)) == 0
    with pytest.raises(Broken, match="too long"):
        head_end(raw, len(raw) - 1)
    with pytest.raises(Broken, match="too long"):
        head_end(raw[:-1], len(raw) - 2)


def test_what_is_no_http_is_known_at_once() -> None:
    """Nobody waits for the end of a head that can never come, and nobody refuses the beginning of one."""
    for raw in (b"SSH-2.0-OpenSSH_9.6\r\n", b"\x15\x03\x01\x00\x02", b"HTTP/2", b"x"):
        with pytest.raises(Broken, match="status line"):
            head_end(raw, LIMIT_BYTES)
    whole = b"HTTP/1.1 200 OK\r\n"
    assert {head_end(whole[:size], LIMIT_BYTES) for size in range(len(whole) + 1)} == {0}


# framing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "status_line", "fields", "framing"),
    [
        ("GET", "HTTP/1.1 200 OK", ("Transfer-Encoding: Chunked",), Framing.CHUNKED),
        ("GET", "HTTP/1.1 200 OK", ("Content-Length: 5", "Transfer-Encoding: chunked"), Framing.CHUNKED),
        ("GET", "HTTP/1.1 200 OK", ("Content-Length: 5",), Framing.LENGTH),
        ("GET", "HTTP/1.1 200 OK", ("Content-Length: 5", "content-length: 5"), Framing.LENGTH),
        ("GET", "HTTP/1.1 200 OK", (), Framing.CLOSE),
        ("HEAD", "HTTP/1.1 200 OK", ("Content-Length: 5",), Framing.EMPTY),
        ("HEAD", "HTTP/1.1 200 OK", ("Transfer-Encoding: chunked",), Framing.EMPTY),
        ("GET", "HTTP/1.1 204 No Content", ("Content-Length: 5",), Framing.EMPTY),
        ("GET", "HTTP/1.1 304 Not Modified", ("Content-Length: 5",), Framing.EMPTY),
        ("GET", "HTTP/1.1 101 Switching Protocols", (), Framing.EMPTY),
    ],
)
def test_how_a_body_ends(method: str, status_line: str, fields: tuple[str, ...], framing: Framing) -> None:
    """In the order of RFC 9112, 6.3."""
    head = _head(*fields, status_line=status_line)

    assert head.framing(method) is framing
    assert body_reader(framing, head).complete is (framing is Framing.EMPTY)


@pytest.mark.parametrize(
    ("keeps_alive", "status_line", "fields"),
    [
        (True, "HTTP/1.1 200 OK", ("Content-Length: 5",)),
        (True, "HTTP/1.1 200 OK", ("Transfer-Encoding: chunked",)),
        (False, "HTTP/1.1 200 OK", ("Content-Length: 5", "Connection: x, Close")),
        (True, "HTTP/1.1 200 OK", ("Content-Length: 5", "Connection: closed")),
        (False, "HTTP/1.0 200 OK", ("Content-Length: 5",)),
        (True, "HTTP/1.0 200 OK", ("Content-Length: 5", "Connection: Keep-Alive")),
        (False, "HTTP/1.0 200 OK", ("Transfer-Encoding: chunked", "Connection: keep-alive")),
        (False, "HTTP/1.1 200 OK", ("Transfer-Encoding: chunked", "Content-Length: 5")),
    ],
)
def test_which_connections_may_be_used_again(status_line: str, fields: tuple[str, ...], *, keeps_alive: bool) -> None:
    """Not after a framing that its sender may have meant in another way (RFC 9112, 6.1)."""
    assert _head(*fields, status_line=status_line).keeps_alive is keeps_alive


# bodies --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rest", [b"", b"HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize(
    "raw",
    [
        b"5\r\nhello\r\n1;a=b;c\r\n!\r\n0\r\n\r\n",
        b"005 \t\r\nhello\r\n1 ;x\r\n!\r\n00\r\nTrailer: x\r\nOther: y\r\n\r\n",
        b"6\r\nhello!\r\n0;last\r\n\r\n",
    ],
)
def test_chunks_are_read_at_any_split(raw: bytes, rest: bytes) -> None:
    """Extensions and trailers are dropped; what follows the end is not part of it."""
    for pieces in feedings(raw + rest):
        body = ChunkedBody()
        got, surplus = _feed(body, pieces)

        assert (b"".join(got), surplus, body.complete, body.flaw) == (b"hello!", rest, True, None)
        assert body.end()


def test_a_whole_chunk_is_one_piece_and_half_a_chunk_does_not_wait() -> None:
    """However many come at once; and each half of one that did not come whole is handed out as it comes."""
    body = ChunkedBody()

    assert body.feed(_chunk(b"one")) == [b"one"]
    assert body.feed(_chunk(b"two") + _chunk(b"three") + b"5\r\nfo") == [b"two", b"three", b"fo"]
    assert body.feed(b"u") == [b"u"]
    assert body.feed(b"rs\r\n" + _chunk(b"five")) == [b"rs", b"five"]
    assert body.feed(_chunk(b"six") + b"0\r\n\r\n") == [b"six"]
    assert body.complete


@given(pieces=pieces_of(st.binary(min_size=1, max_size=40).map(_chunk)))
def test_any_chunks_at_any_cuts(pieces: list[bytes]) -> None:
    """The pieces are the body that was framed, and not a byte of it is kept back."""
    expected, left = b"", b"".join(pieces)
    while left:
        size, _, left = left.partition(b"\r\n")
        expected, left = expected + left[: int(size, 16)], left[int(size, 16) + 2 :]
    body = ChunkedBody()

    assert b"".join(_feed(body, pieces)[0]) == expected
    assert body.flaw is None
    assert not body.end()


@pytest.mark.parametrize(
    ("before", "whole"),
    [(b"", True), (_chunk(b"x"), True), (b"9\r\n", False), (b"9\r\nhello", False), (b"1\r\nx", False), (b"1", False)],
)
def test_only_a_whole_chunk_passes_in_one(before: bytes, *, whole: bool) -> None:
    """What looks like one in the middle of another is none, and is still there to be fed."""
    looks = _chunk(b"four")
    body, other = ChunkedBody(), ChunkedBody()
    for each in (body, other):
        each.feed(before)

    assert body.whole(looks) == (b"four" if whole else None)
    if not whole:
        assert body.feed(looks) == other.feed(looks)
        assert body.flaw == other.flaw


@pytest.mark.parametrize(
    "data",
    [b"0\r\n\r\n", b"4\r\nfour\r\n1", b"4\r\nfour", b"4\r\nfour\n\n", b"4;x\r\nfour\r\n", b"04\r\nfour\r\n", b""],
)
def test_other_forms_of_a_chunk_do_not_pass_in_one(data: bytes) -> None:
    """Only its plainest form may go to the client in the very bytes in which it came."""
    assert ChunkedBody().whole(data) is None


def test_other_bodies_have_no_chunks() -> None:
    """Their pieces are always fed."""
    assert CountedBody(9).whole(_chunk(b"four")) is None
    assert EndlessBody().whole(_chunk(b"four")) is None


@pytest.mark.parametrize(
    ("raw", "flaw"),
    [
        (b"zz\r\n!\r\n", "malformed"),
        (b"\r\n!\r\n", "malformed"),
        (b"0x5\r\nworld\r\n", "malformed"),
        (b"+5\r\nworld\r\n", "malformed"),
        (b"-5\r\nworld\r\n", "malformed"),
        (b"1_0\r\n0123456789abcdef\r\n", "malformed"),
        (b" 5\r\nworld\r\n", "malformed"),
        (b"5\nworld\r\n", "malformed"),
        (b"5;a\rb\r\nworld\r\n", "malformed"),
        (b"10000000000000000\r\n", "malformed"),
        (b"0\r\nTrailer: x\n\r\n", "malformed"),
    ],
)
def test_a_malformed_line_is_named_after_all_that_came_before_it(raw: bytes, flaw: str) -> None:
    """At any split; nothing that stands behind it is delivered."""
    for pieces in feedings(_chunk(b"hello") + raw):
        body = ChunkedBody()
        got, _ = _feed(body, pieces)

        assert b"".join(got) == b"hello"
        assert re.search(flaw, body.flaw or "")
        assert not body.end()


@pytest.mark.parametrize("raw", [b"3\r\nhello\r\n0\r\n\r\n", b"3\r\nhel\n0\r\n\r\n", b"3\r\nhel0\r\n\r\n"])
def test_a_chunk_ends_where_its_size_says(raw: bytes) -> None:
    """A chunk without its CRLF is delivered, and nothing after it."""
    for pieces in feedings(raw):
        body = ChunkedBody()

        assert b"".join(_feed(body, pieces)[0]) == b"hel"
        assert body.flaw is not None


@pytest.mark.parametrize("before", [b"", b"0\r\n"])
def test_a_line_between_chunks_has_a_limit(before: bytes) -> None:
    """Whether its end has come or not; nothing grows while it does not."""
    for line in (b"1;" + b"x" * LINE_LIMIT_BYTES, b"1;" + b"x" * LINE_LIMIT_BYTES + b"\r\n"):
        body = ChunkedBody()
        body.feed(before + line)

        assert "too long" in (body.flaw or "")


def test_a_counted_body() -> None:
    """At any split, and not a byte more than announced."""
    for pieces in feedings(b"hello, and more"):
        body = CountedBody(5)
        got, surplus = _feed(body, pieces)

        assert (b"".join(got), surplus, body.complete) == (b"hello", b", and more", True)
    short = CountedBody(5)
    assert (short.feed(b"hell"), short.end(), short.complete) == ([b"hell"], False, False)


def test_a_body_that_ends_with_its_connection() -> None:
    """Only then it is complete."""
    body = EndlessBody()

    assert (body.feed(b"a"), body.complete, body.end(), body.complete) == ([b"a"], False, True, True)
