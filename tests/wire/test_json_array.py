"""A JSON array that comes element by element: objects at any split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.wire.json_array import PAYLOAD, ArraySplitter
from tests.wire.splitting import feedings, pieces_of, split


@pytest.mark.parametrize("rest", [b"", b"\n", b',{"c"', b'{"a\\'])
@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"[]"],
        [b'[{"a":1}', b"]"],
        [b'[{"a":1}', b'\n,\n{"b":{"c":[1,{}]}}', b"\n]"],
        [b'[ {"a":"}]"}', b',{"b":"\\"}{"}', b',{"\\\\":1}', b"\r\n]"],
        [b'[1,"]",{"a":1}', b",null]"],
        [b'{"a":1}'],
        ['[{"a":"\u2028é"}'.encode(), b"]"],
    ],
)
def test_elements_are_the_same_at_any_split(frames: list[bytes], rest: bytes) -> None:
    """An object ends a frame wherever the bytes are cut; braces and brackets in strings are text."""
    for pieces in feedings(b"".join(frames) + rest):
        assert split(ArraySplitter, pieces) == (frames, rest)


@given(pieces_of(st.sampled_from([b"[", b"]", b",", b"{", b"}", b'"', b"\\", b"a"]) | st.binary(max_size=4)))
def test_any_bytes_come_back_whole_from_arrays(pieces: list[bytes]) -> None:
    """Frames and rest, joined, are the input, and splitting it otherwise gives the same frames."""
    frames, rest = split(ArraySplitter, pieces)

    assert b"".join(frames) + rest == b"".join(pieces)
    assert split(ArraySplitter, [b"".join(pieces)]) == (frames, rest)


@given(pieces_of(st.sampled_from([b'[{"a', b'":"\\', b'"x"}', b",{}", b"]"])), st.integers(0, 8))
def test_a_copy_goes_on_where_its_original_was(pieces: list[bytes], size: int) -> None:
    """Inside of a string, of an escape, of an object; and neither knows what the other is fed."""
    original, whole = ArraySplitter(), ArraySplitter()
    for piece in pieces[:size]:
        original.feed(piece)
        whole.feed(piece)
    other = original.copy()
    original.feed(b'"}')
    rest = b"".join(pieces[size:])

    assert (other.feed(rest), other.flush()) == (whole.feed(rest), whole.flush())


def test_a_frame_may_be_skipped_between_two() -> None:
    """Not when one has begun."""
    splitter = ArraySplitter()

    assert splitter.skip(b'[{"a":1}')
    splitter.feed(b",")
    assert not splitter.skip(b',{"a":1}')


@pytest.mark.parametrize(
    ("frame", "payload"),
    [
        (b'[{"a":1}', b'{"a":1}'),
        (b'\r\n,\r\n{"a":[1]}', b'{"a":[1]}'),
        (b',\n{"a":1}\n]', b'{"a":1}'),
        (b",broken", b"broken"),
        (b"\n]", None),
        (b"[]", None),
        (b"", None),
    ],
)
def test_the_payload_is_the_element(frame: bytes, payload: bytes | None) -> None:
    """Without commas, brackets of the array and space; a bracket alone has none."""
    found = PAYLOAD.search(frame)

    assert (found and found[1]) == payload
