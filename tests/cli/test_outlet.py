"""Lines for a reader that may have stopped reading."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from chaosproxy.cli.outlet import UNREAD_BYTES_MAX, Outlet


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe."""
    reader, writer = os.pipe()
    yield reader, writer
    for end in (reader, writer):
        with suppress(OSError):
            os.close(end)


def test_a_line_arrives(pipe: tuple[int, int]) -> None:
    """At once, while somebody reads."""
    reader, writer = pipe

    Outlet(writer).write(b"hello\n")

    assert os.read(reader, 100) == b"hello\n"


def test_a_reader_that_stopped_stops_nobody(pipe: tuple[int, int]) -> None:
    """Far more than pipe and buffer hold is written without waiting; whole lines arrive, from the first on."""
    reader, writer = pipe
    outlet = Outlet(writer)
    lines = [b"%0999d\n" % number for number in range(1000)]
    for line in lines:
        outlet.write(line)

    os.set_blocking(reader, False)
    arrived = b""
    for _ in range(100):
        outlet.write(b"")
        try:
            arrived += os.read(reader, 1 << 20)
        except BlockingIOError:
            break

    assert arrived == b"".join(lines[: len(arrived) // 1000])
    assert UNREAD_BYTES_MAX <= len(arrived) < 1_000_000


def test_a_reader_that_left_is_no_error(pipe: tuple[int, int]) -> None:
    """The proxy goes on without it."""
    reader, writer = pipe
    os.close(reader)

    Outlet(writer).write(b"hello\n")
