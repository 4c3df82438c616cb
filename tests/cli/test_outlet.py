"""Lines for a reader that may have stopped reading."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from chaosproxy.cli.outlet import UNREAD_BYTES_MAX, JsonVoice, Outlet
from chaosproxy.journal.entry import Entry


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

    outlet = Outlet(writer)
    outlet.add(b"hello\n")
    outlet.flush()

    assert os.read(reader, 100) == b"hello\n"


def test_a_reader_that_stopped_stops_nobody(pipe: tuple[int, int]) -> None:
    """Far more than pipe and buffer hold is written without waiting; whole lines arrive, from the first on."""
    reader, writer = pipe
    outlet = Outlet(writer)
    lines = [b"%0999d\n" % number for number in range(1000)]
    for line in lines:
        outlet.add(line)
        outlet.flush()

    os.set_blocking(reader, False)
    arrived = b""
    for _ in range(100):
        outlet.flush()
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

    outlet = Outlet(writer)
    outlet.add(b"hello\n")
    outlet.flush()


async def test_entries_are_told_together_after_the_ready_line(
    pipe: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """None is lost that came before it, and one write is for all that come at about the same time."""
    reader, writer = pipe
    os.set_blocking(reader, False)
    voice = JsonVoice(Outlet(writer))
    entries = [Entry({"type": "trouble", "detail": str(number)}) for number in range(4)]
    voice.tell(entries[0])
    with pytest.raises(BlockingIOError):
        os.read(reader, 1000)

    voice.ready(seed=1)
    assert '"seed":1' in capsys.readouterr().out.replace(" ", "")
    assert os.read(reader, 1000) == entries[0].line

    readable = asyncio.Event()
    asyncio.get_running_loop().add_reader(reader, readable.set)
    for entry in entries[1:]:
        voice.tell(entry)
    await readable.wait()
    asyncio.get_running_loop().remove_reader(reader)
    assert os.read(reader, 1000) == b"".join(entry.line for entry in entries[1:])


def test_what_waits_at_the_end_is_told(pipe: tuple[int, int]) -> None:
    """Within a loop that has ended, too."""
    reader, writer = pipe
    voice = JsonVoice(Outlet(writer))
    entry = Entry({"type": "trouble", "detail": "last"})
    voice.tell(entry)
    voice.tell_all()

    assert os.read(reader, 1000) == entry.line
