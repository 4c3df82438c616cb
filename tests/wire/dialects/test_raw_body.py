"""Bodies that no dialect claims."""

from __future__ import annotations

import pytest

from chaosproxy.events import RAW
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.base import RateLimit, RequestFacts
from chaosproxy.wire.dialects.raw import RAW_BODY


def test_bytes_mean_nothing() -> None:
    """No request is claimed, nothing is read, every piece passes."""
    assert not RAW_BODY.claims("POST", "/v1/chat/completions")
    assert RAW_BODY.read_request(b'{"model": "m"}', "/") == RequestFacts()
    assert RAW_BODY.read_event(b"data: [DONE]\n\n") is RAW
    assert RAW_BODY.read_answer(b"{}") is RAW
    assert RAW_BODY.splitter().feed(b"a") == [b"a"]
    assert RAW_BODY.limit_headers(RateLimit(1, 1, 1, 1, 1.0)) == ()


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, b'{"error":"Service Unavailable"}'), (529, b'{"error":"Status 529"}')],
)
def test_errors_are_the_status_in_words(status: int, body: bytes) -> None:
    """A small JSON body says what the status line says."""
    assert RAW_BODY.error(status, error_type=None, code=None, message=None)[1] == body


@pytest.mark.parametrize(
    ("error_type", "message", "line"),
    [
        (None, None, b'{"error":"Internal Server Error"}\n'),
        ("t", None, b'{"error":"t"}\n'),
        ("t", "m", b'{"error":"m"}\n'),
    ],
)
def test_error_event_is_a_line(error_type: str | None, message: str | None, line: bytes) -> None:
    """An error inside a body is a line of JSON."""
    assert RAW_BODY.error_event(error_type, message) == line


def test_answer_is_its_text() -> None:
    """Plain or in pieces, only the text is sent."""
    answer = Answer("1", "m", 1, ("h", "", "é"))

    assert RAW_BODY.stream_frames(answer) == [b"h", "é".encode()]
    assert RAW_BODY.plain_body(answer) == "hé".encode()
