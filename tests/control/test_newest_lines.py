"""The newest lines stay whole, wherever the circle ends, and the oldest make room."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.control.newest_lines import NewestLines


@given(
    lines=st.lists(st.binary(max_size=12), max_size=60),
    size=st.integers(1, 8),
    bytes_max=st.integers(1, 40),
)
def test_they_are_those_that_a_queue_would_keep(lines: list[bytes], size: int, bytes_max: int) -> None:
    """Also after any number of turns, and where one line is larger than all the room."""
    newest, expected = NewestLines(size, bytes_max), deque[bytes]()
    for number, line in enumerate(lines, 1):
        newest.add(line)
        expected.append(line)
        while len(expected) > size or sum(map(len, expected)) > bytes_max:
            expected.popleft()
        assert newest.count == number
        assert newest.lines() == list(expected)
        assert newest.oldest == number - len(expected) + 1


def test_what_is_kept_is_found_by_its_number() -> None:
    """Numbers go on when old lines are gone."""
    newest = NewestLines(size=2, bytes_max=100)
    for word in (b"one", b"two", b"three"):
        newest.add(word)
    assert (newest.oldest, newest.count) == (2, 3)
    assert [newest.line(2), newest.line(3)] == [b"two", b"three"]


@pytest.mark.parametrize("bytes_max", [10, 100])
def test_before_the_first_there_is_none(bytes_max: int) -> None:
    """Nothing was lost then."""
    newest = NewestLines(3, bytes_max)
    assert (newest.oldest, newest.count, newest.lines()) == (1, 0, [])
