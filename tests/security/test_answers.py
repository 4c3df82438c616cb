"""Answers that would be two, or that a client would read in another way than we do."""

from __future__ import annotations

import pytest

from chaosproxy.proxy.limits import Limits
from tests.functional.wire_kit import plain
from tests.security.raw_kit import answered, attack, front, post

PLANTED = plain(b"no", "403 Forbidden")
GET = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


async def test_an_answer_that_nobody_asked_for() -> None:
    """What comes behind an answer is not kept for the next request: its connection is given up."""
    async with front(plain(b"ok") + PLANTED) as at:
        answers = [await attack(at.url, GET) for _ in range(3)]
        connections = len(at.upstream.streams)

    assert [(answer[9:12], answer[-2:]) for answer in answers] == [(b"200", b"ok")] * 3
    assert connections == 3


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: planted\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\rSet-Cookie: planted\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
    ],
)
async def test_answers_that_can_be_read_in_two_ways(head: bytes) -> None:
    """The client gets a 502 of ours and no byte of them."""
    async with front(head, Limits(stop_s=0.1)) as at:
        answer = await attack(at.url, GET)

    assert answer[9:12] == b"502"
    assert b"planted" not in answer


async def test_a_folded_field_leaves_as_one_line() -> None:
    """Old servers still send them; a client that knows no folding must not see a field of its own."""
    folded = b"HTTP/1.1 200 OK\r\nX: a\r\n Set-Cookie: planted\r\nContent-Length: 0\r\n\r\n"
    async with front(folded) as at:
        head = await answered(at.url, post(b""))

    assert b"\r\nX: a Set-Cookie: planted\r\n" in head


async def test_chunked_wins_over_a_length() -> None:
    """Of an answer with both the client gets one, and the connection to the upstream is not used again."""
    both = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    async with front(both) as at:
        answers = [await attack(at.url, GET) for _ in range(2)]
        connections = len(at.upstream.streams)

    assert all(b"content-length" not in answer.lower() for answer in answers)
    assert all(answer.endswith(b"2\r\nok\r\n0\r\n\r\n") for answer in answers)
    assert connections == 2


@pytest.mark.parametrize("date", ["Sun, 06 Nov 9999999999994 08:49:37 GMT", "9" * 20_000, "-1", "nan"])
async def test_a_retry_after_that_is_no_time(date: str) -> None:
    """The answer passes; a value that cannot be read breaks nothing of ours."""
    async with front(plain(b"ok", "429 Too Many Requests", f"Retry-After: {date}")) as at:
        answer = await attack(at.url, GET)
        record = await at.journal.exchange()

    assert answer[9:12] == b"429"
    assert record.received.retry_after_s is None
