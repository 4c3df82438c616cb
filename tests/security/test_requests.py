"""Requests that no two readers should read in two ways: refused, or passed on in exactly one way."""

from __future__ import annotations

import pytest

from chaosproxy.proxy.limits import Limits
from tests.security.raw_kit import answered, attack, front, post

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
EMPTY = b"0\r\n\r\n"

LENGTHS = {
    "negative": post(b"Content-Length: -1\r\n"),
    "signed": post(b"Content-Length: +3\r\n", b"abc"),
    "hexadecimal": post(b"Content-Length: 0x3\r\n", b"abc"),
    "empty": post(b"Content-Length: \r\n", b"abc"),
    "list": post(b"Content-Length: 3, 3\r\n", b"abc"),
    "twice the same": post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"),
    "twice, in other letters": post(b"content-length: 3\r\nCONTENT-LENGTH: 3\r\n", b"abc"),
    "two": post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd"),
    "overflow": post(b"Content-Length: 99999999999999999999999\r\n", b"abcd"),
    "underscore": post(b"Content-Length: 1_0\r\n", b"abcdefghij"),
    "digits of others": post("Content-Length: \u0663\r\n".encode(), b"abc"),
    "space inside": post(b"Content-Length: 3 3\r\n", b"abc" * 11),
    "vertical tab": post(b"Content-Length: \x0b3\r\n", b"abc"),
    "length and chunked": post(b"Content-Length: 3\r\n" + CHUNKED, EMPTY),
    "chunked and length": post(CHUNKED + b"Content-Length: 3\r\n", EMPTY),
    "length in a trailer": post(CHUNKED, b"3\r\nabc\r\n0\r\nContent-Length: 50\r\n\r\n"),
}
CODINGS = {
    "chunked, identity": post(b"Transfer-Encoding: chunked, identity\r\n", EMPTY),
    "identity": post(b"Transfer-Encoding: identity\r\n", EMPTY),
    "identity and length": post(b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", EMPTY),
    "identity, chunked": post(b"Transfer-Encoding: identity, chunked\r\n", EMPTY),
    "gzip, chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", EMPTY),
    "gzip": post(b"Transfer-Encoding: gzip\r\n", EMPTY),
    "xchunked": post(b"Transfer-Encoding: xchunked\r\n", EMPTY),
    "chunkedx": post(b"Transfer-Encoding: chunkedx\r\n", EMPTY),
    "xchunked and length": post(b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", EMPTY),
    "quoted": post(b'Transfer-Encoding: "chunked"\r\n', EMPTY),
    "parameter": post(b"Transfer-Encoding: chunked;q=1\r\n", EMPTY),
    "empty": post(b"Transfer-Encoding:\r\n", EMPTY),
    "empty, with a request as its body": post(b"Transfer-Encoding:\r\n", SMUGGLED),
    "empty and length": post(b"Transfer-Encoding:\r\nContent-Length: 5\r\n", EMPTY),
    "twice": post(CHUNKED + CHUNKED, EMPTY),
    "chunked, chunked": post(b"Transfer-Encoding: chunked, chunked\r\n", EMPTY),
    "then identity": post(CHUNKED + b"Transfer-Encoding: identity\r\n", EMPTY),
    "identity first": post(b"Transfer-Encoding: identity\r\n" + CHUNKED, EMPTY),
    "vertical tab": post(b"Transfer-Encoding: \x0bchunked\r\n", EMPTY),
    "letters of others": post("Transfer-Encoding: chun\u212aed\r\n".encode(), EMPTY),
    "of HTTP/1.0": post(CHUNKED, EMPTY, b"POST /v1/x HTTP/1.0"),
}
FIELDS = {
    "space before the colon": post(b"Content-Length : 3\r\n", b"abc"),
    "tab before the colon": post(b"Content-Length\t: 3\r\n", b"abc"),
    "coding with a space": post(b"Transfer-Encoding : chunked\r\n", EMPTY),
    "space before the first": b"POST /v1/x HTTP/1.1\r\n Host: h\r\n\r\n",
    "folded": post(b"X-A: b\r\n c\r\n"),
    "folded coding": post(b"Transfer-Encoding:\r\n chunked\r\n", EMPTY),
    "coding in a fold": post(b"X: y\r\n Transfer-Encoding: chunked\r\n", EMPTY),
    "bare LF": post(b"X-A: b\nX-C: d\r\n"),
    "all bare LF": b"POST /v1/x HTTP/1.1\nHost: h\n\n",
    "bare CR": post(b"X-A: b\rX-C: d\r\n"),
    "bare CR in a name": post(b"X-A\r: b\r\n"),
    "CR CR LF": post(b"X-A: b\r\r\n"),
    "NUL in a value": post(b"X-A: b\0c\r\n"),
    "NUL in a name": post(b"X\0A: b\r\n"),
    "control in a value": post(b"X-A: b\x01c\r\n"),
    "ESC in a value": post(b"X-A: \x1b[31mred\r\n"),
    "DEL in a value": post(b"X-A: \x7f\r\n"),
    "letter in a name": post(b"X-\xe9: b\r\n"),
    "bracket in a name": post(b"X(A): b\r\n"),
    "space in a name": post(b"X A: b\r\n"),
    "no name": post(b": b\r\n"),
    "no colon": post(b"XAb\r\n"),
    "two hosts": post(b"Host: other\r\n"),
    "no host": b"GET /x HTTP/1.1\r\n\r\n",
}
LINES = {
    "NUL": post(b"", line=b"POST /v1\0/x HTTP/1.1"),
    "space": post(b"", line=b"POST /a b HTTP/1.1"),
    "tab": post(b"", line=b"POST /a\tb HTTP/1.1"),
    "LF": post(b"", line=b"POST /a\nb HTTP/1.1"),
    "CR": post(b"", line=b"POST /a\rb HTTP/1.1"),
    "ESC": post(b"", line=b"POST /a\x1b[31m HTTP/1.1"),
    "fragment": post(b"", line=b"POST /a#b HTTP/1.1"),
    "authority": post(b"", line=b"POST elsewhere:80 HTTP/1.1"),
    "relative": post(b"", line=b"GET v1/x HTTP/1.1"),
    "query alone": post(b"", line=b"GET ?x HTTP/1.1"),
    "user": post(b"", line=b"POST @elsewhere/x HTTP/1.1"),
    "star": post(b"", line=b"GET * HTTP/1.1"),
    "file": post(b"", line=b"POST file:///etc/passwd HTTP/1.1"),
    "ftp": post(b"", line=b"POST ftp://elsewhere/x HTTP/1.1"),
    "half an address": post(b"", line=b"POST http://[elsewhere/x HTTP/1.1"),
    "no such port": post(b"", line=b"POST http://elsewhere:99999/x HTTP/1.1"),
    "fragment of a URL": post(b"", line=b"POST http://elsewhere/x#y HTTP/1.1"),
    "no target": post(b"", line=b"POST HTTP/1.1"),
    "method": post(b"", line=b"PO(ST /x HTTP/1.1"),
    "method with a tab": post(b"", line=b"POST\x0b /x HTTP/1.1"),
    "HTTP/0.9": b"GET /x\r\n\r\n",
    "HTTP/2.0": post(b"", line=b"POST /x HTTP/2.0"),
    "HTTP/1.2": post(b"", line=b"POST /x HTTP/1.2"),
    "HTTP/11": post(b"", line=b"POST /x HTTP/11"),
    "HTTP/1.1x": post(b"", line=b"POST /x HTTP/1.1x"),
    "XTTP": post(b"", line=b"POST /x XTTP/1.1"),
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": bytes.fromhex("1603010200010001fc0303") + b"\r\n\r\n",
    "noise": b"\xff\xfe\xfd\r\n\r\n",
    "CONNECT": b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n",
    "CONNECT with a body": b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
}
CHUNKS = {
    "overflow": b"FFFFFFFFFFFFFFFFFF\r\nabc",
    "negative": b"-1\r\nabc\r\n" + EMPTY,
    "signed": b"+3\r\nabc\r\n" + EMPTY,
    "0x": b"0x3\r\nabc\r\n" + EMPTY,
    "space behind": b"3 \r\nabc\r\n" + EMPTY,
    "space before": b" 3\r\nabc\r\n" + EMPTY,
    "underscore": b"0_3\r\nabc\r\n" + EMPTY,
    "no size": b"\r\nabc\r\n" + EMPTY,
    "bare LF behind the size": b"3\nabc\r\n" + EMPTY,
    "bare LF behind the data": b"3\r\nabc\n" + EMPTY,
    "bare LF at the end": b"3\r\nabc\r\n0\n\n",
    "longer than its size": b"3\r\nabcdef\r\n" + EMPTY,
    "LF in an extension": b"3;a\nb\r\nabc\r\n" + EMPTY,
    "CR in an extension": b"3;a\rb\r\nabc\r\n" + EMPTY,
    "bad trailer": b"3\r\nabc\r\n0\r\nX y\r\n\r\n",
    "NUL in a trailer": b"3\r\nabc\r\n0\r\nX: a\0\r\n\r\n",
    "folded trailer": b"3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n",
}


def cases(table: dict[str, bytes]) -> pytest.MarkDecorator:
    """Each request in one packet, and byte by byte; with another one behind it."""
    return pytest.mark.parametrize("request_", table.values(), ids=table.keys())


async def refused(request: bytes) -> None:
    """It is answered with an error of ours, its connection ends, and the upstream hears nothing of it."""
    for pieces in ((request + SMUGGLED,), tuple(bytes([byte]) for byte in request + SMUGGLED)):
        async with front(limits=Limits(stop_s=0.1, linger_s=5.0)) as at:
            answer = await attack(at.url, *pieces)
            got = at.upstream.got

        assert got == b""
        assert answer[9:12] in (b"400", b"501", b"505")
        assert answer.count(b"HTTP/1.1 ") == 1 + answer.count(b"speaks HTTP/1.1 ")


@cases(LENGTHS)
async def test_bad_lengths(request_: bytes) -> None:
    """Two lengths, a length and chunks, and what is no number."""
    await refused(request_)


@cases(CODINGS)
async def test_transfer_codings(request_: bytes) -> None:
    """Anything but chunked, once, in HTTP/1.1."""
    await refused(request_)


@cases(FIELDS)
async def test_header_fields(request_: bytes) -> None:
    """Illegal bytes in names and values, folded lines, bare line ends, white space before a colon."""
    await refused(request_)


@cases(LINES)
async def test_request_lines(request_: bytes) -> None:
    """Targets that are neither a path nor a web URL, other versions, other protocols, CONNECT."""
    await refused(request_)


@pytest.mark.parametrize("body", CHUNKS.values(), ids=CHUNKS.keys())
async def test_chunked_bodies(body: bytes) -> None:
    """Sizes that are none, line ends that are none, trailers that are none."""
    await refused(post(CHUNKED, body))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", b"header_bytes"),
        (post(b"X: " + b"y" * 40_000 + b"\r\n"), b"header_bytes"),
        (post(b"X" * 40_000 + b": y\r\n"), b"header_bytes"),
        (post(b"".join(b"X%d: y\r\n" % number for number in range(1000))), b"header_fields"),
        (post(CHUNKED, b"3\r\nabc\r\n0\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), b"header_bytes"),
    ],
    ids=["target", "value", "name", "fields", "trailer"],
)
async def test_huge_heads(request_: bytes, words: bytes) -> None:
    """The answer names the limit, and repeats nothing of what came."""
    async with front(limits=Limits(stop_s=0.1, linger_s=5.0)) as at:
        answer = await attack(at.url, request_)
        got = at.upstream.got

    assert got == b""
    assert answer[9:12] == b"400"
    assert words in answer
    assert b"yyyy" not in answer
    assert b"aaaa" not in answer


@pytest.mark.parametrize(
    "request_",
    [post(b"Content-Length: 9223372036854775808\r\n", b"abc"), post(CHUNKED, b"8000000000000000\r\nabc")],
    ids=["length", "chunk"],
)
async def test_a_huge_size_takes_no_memory(request_: bytes) -> None:
    """Only what comes is kept; what was announced and does not come ends with the client's silence."""
    async with front(limits=Limits(stop_s=0.1, idle_s=0.1, linger_s=5.0)) as at:
        answer = await attack(at.url, request_)
        got = at.upstream.got

    assert (answer[9:12], got) == (b"408", b"")


async def test_what_comes_behind_a_bad_request() -> None:
    """A good request before it is answered, a good one behind it is never looked at."""
    good, bad = b"GET /good HTTP/1.1\r\nHost: h\r\n\r\n", post(b"Content-Length: x\r\n")
    async with front(limits=Limits(stop_s=0.1, linger_s=5.0)) as at:
        answer = await attack(at.url, *(bytes([byte]) for byte in good + bad + SMUGGLED))
        got = at.upstream.got

    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"400"]
    assert got.startswith(b"GET /good HTTP/1.1\r\n")
    assert got.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("request_", "line", "rest"),
    [
        (post(b"Content-Length: 0003\r\n", b"abc"), b"POST /v1/x", b"Content-Length: 0003\r\n\r\nabc"),
        (post(b"Content-Length:\t3 \r\n", b"abc"), b"POST /v1/x", b"Content-Length: 3\r\n\r\nabc"),
        (post(b"Transfer-Encoding: ChUnKeD \r\n", EMPTY), b"POST /v1/x", CHUNKED + b"\r\n" + EMPTY),
        (post(CHUNKED, b'3;a="b"\r\nabc\r\n' + EMPTY), b"POST /v1/x", CHUNKED + b"\r\n3\r\nabc\r\n" + EMPTY),
        (post(CHUNKED, b"3\r\nabc\r\n0\r\nX-T: y\r\n\r\n"), b"POST /v1/x", CHUNKED + b"\r\n3\r\nabc\r\n" + EMPTY),
        (post(b"X-A: \xff\xfe\r\nContent-Length: 0\r\n"), b"POST /v1/x", b"X-A: \xff\xfe\r\nContent-Length: 0\r\n\r\n"),
        (post(b"Content_Length: 3\r\n"), b"POST /v1/x", b"Content_Length: 3\r\nContent-Length: 0\r\n\r\n"),
        (post(b"", line=b"GET /v1/../../etc%2f HTTP/1.1"), b"GET /v1/../../etc%2f", b"\r\n"),
        (post(b"", line=b"GET //elsewhere/x HTTP/1.1"), b"GET //elsewhere/x", b"\r\n"),
        (post(b"", line=b"OPTIONS * HTTP/1.1"), b"OPTIONS *", b"\r\n"),
        (
            post(b"Connection: content-length\r\nContent-Length: 3\r\n", b"abc"),
            b"POST /v1/x",
            b"Content-Length: 3\r\n\r\nabc",
        ),
        (
            post(b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED, b"GET /x HTTP/1.1"),
            b"GET /x",
            b"Content-Length: %d\r\n\r\n%b" % (len(SMUGGLED), SMUGGLED),
        ),
        (
            post(
                b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n",
                line=b"GET /x HTTP/1.1",
            ),
            b"GET /x",
            b"\r\n",
        ),
    ],
)
async def test_what_passes_arrives_as_it_was_meant(request_: bytes, line: bytes, rest: bytes) -> None:
    """The same target and body, one length or chunked; extensions, trailers and upgrades to HTTP/2 end here."""
    async with front() as at:
        head = await answered(at.url, request_)
        got = at.upstream.got

    assert head.startswith(b"HTTP/1.1 200")
    assert got == line + b" HTTP/1.1\r\nHost: " + at.upstream.url.removeprefix("http://").encode() + b"\r\n" + rest
