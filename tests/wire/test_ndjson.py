"""Newline-delimited JSON: lines at any split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.wire.ndjson import LineSplitter
from tests.wire.splitting import feedings, pieces_of, split


@pytest.mark.parametrize("rest", [b"", b'{"c"', b"\r"])
@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b'{"a":1}\n', b'{"b":2}\n'],
        [b'{"a":1}\r\n', b"\n", b'{"b":2}\n'],
        [b"a\rb\n"],
        ["\u2028\u0085\n".encode()],
    ],
)
def test_lines_are_the_same_at_any_split(lines: list[bytes], rest: bytes) -> None:
    """Only LF ends a line, and it does not matter how the bytes arrive."""
    for pieces in feedings(b"".join(lines) + rest):
        assert split(LineSplitter, pieces) == (lines, rest)


@given(pieces_of(st.sampled_from([b"\n", b"\r\n", b"{}"]) | st.binary(max_size=4)))
def test_any_bytes_come_back_whole_from_lines(pieces: list[bytes]) -> None:
    """Lines and rest, joined, are the input, and splitting it otherwise gives the same lines."""
    frames, rest = split(LineSplitter, pieces)

    assert b"".join(frames) + rest == b"".join(pieces)
    assert split(LineSplitter, [b"".join(pieces)]) == (frames, rest)
