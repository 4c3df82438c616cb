"""WebSocket frames, whatever the splits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.wire.websocket import (
    BINARY,
    CONTINUATION,
    PING,
    TEXT,
    Piece,
    WebSocketSplitter,
    close_frame,
    read_head,
    write_frame,
)

FRAMES = st.lists(
    st.builds(
        write_frame,
        st.sampled_from((CONTINUATION, TEXT, BINARY, PING)),
        st.binary(max_size=300),
        fin=st.booleans(),
    ),
    max_size=6,
)


@pytest.mark.parametrize(("size", "head_size"), [(0, 2), (125, 2), (126, 4), (65535, 4), (65536, 10)])
def test_a_frame_is_read_as_it_was_written(size: int, head_size: int) -> None:
    """All three ways to tell a length; nothing is told before the head is complete."""
    frame = write_frame(BINARY, bytes(size), fin=False)
    head = read_head(frame)

    assert head == (BINARY, False, size + head_size)
    assert len(frame) == size + head_size
    assert [read_head(frame[:length]) for length in range(head_size)] == [None] * head_size


def test_masked_frames_are_four_bytes_longer() -> None:
    """The example of RFC 6455, 5.7: a masked "Hello"."""
    assert read_head(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58") == (TEXT, True, 11)


def test_a_close_frame_carries_its_code() -> None:
    """And is a control frame."""
    head = read_head(close_frame(1011))

    assert close_frame(1011) == b"\x88\x02\x03\xf3"
    assert head is not None
    assert head.control


@given(FRAMES, st.lists(st.integers(1, 50), min_size=1, max_size=9))
def test_frames_come_whole_in_any_split(frames: list[bytes], sizes: list[int]) -> None:
    """Whole, byte by byte or in between; what is incomplete is kept for the end."""
    sent = b"".join(frames) + b"\x82"
    splitter = WebSocketSplitter(1000)
    pieces: list[Piece] = []
    start = 0
    while start < len(sent):
        size = sizes[len(pieces) % len(sizes)]
        pieces += splitter.feed(sent[start : start + size])
        start += size

    assert [piece.data for piece in pieces] == frames
    assert all(piece.begins for piece in pieces)
    assert splitter.flush() == b"\x82"
    assert splitter.flush() == b""


@given(FRAMES, st.integers(1, 100))
def test_large_frames_come_in_pieces(frames: list[bytes], size: int) -> None:
    """No more than the limit is kept, nothing is lost, and each frame begins once."""
    sent, limit = b"".join(frames), 20
    splitter = WebSocketSplitter(limit)
    pieces, fed = [], 0
    for start in range(0, len(sent), size):
        pieces += splitter.feed(sent[start : start + size])
        fed += len(sent[start : start + size])
        assert fed - sum(len(piece.data) for piece in pieces) <= limit

    assert b"".join(piece.data for piece in pieces) == sent
    assert [piece.begins for piece in pieces].count(True) == len(frames)
