"""A journal on disk while it grows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chaosproxy.errors import PartFailed
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.reading import Journal, read_journal
from chaosproxy.journal.records import Opened, Trouble
from chaosproxy.proxy.journal_file import JournalFile

OPENED = Opened(process="proxy", host="h", pid=1, mono=5.0, wall=9.0, chaosproxy="0")
RECORD = Trouble(at=6.0, part="x", detail="y")


def _read(path: Path) -> Journal:
    return read_journal(path.read_text().splitlines())


async def test_the_opening_is_there_at_once(tmp_path: Path) -> None:
    """A reader finds a journal from the moment at which it exists."""
    path = tmp_path / "journal.jsonl"
    with JournalFile(path, OPENED):
        assert _read(path).records == (OPENED,)


async def test_entries_are_there_soon(tmp_path: Path) -> None:
    """They wait for others of the same burst, not for the end, and keep their order."""
    path = tmp_path / "journal.jsonl"
    later = Trouble(at=7.0, part="x", detail="z")
    with JournalFile(path, OPENED) as journal:
        journal.write(Entry.of(RECORD))
        journal.write(Entry.of(later))
        async with asyncio.timeout(5):
            while _read(path).records != (OPENED, RECORD, later):  # noqa: ASYNC110 - a file tells nobody that it grew
                await asyncio.sleep(0)


async def test_whatever_ends_it_loses_nothing(tmp_path: Path) -> None:
    """What waits is written on the way out, also when an exception is what leaves."""
    path = tmp_path / "journal.jsonl"

    def fail() -> None:
        with JournalFile(path, OPENED) as journal:
            journal.write(Entry.of(RECORD))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _read(path).records == (OPENED, RECORD)


async def test_its_size_is_bounded(tmp_path: Path) -> None:
    """The last record says that more was lost."""
    path = tmp_path / "journal.jsonl"
    with JournalFile(path, OPENED, bytes_max=300) as journal:
        for _ in range(50):
            journal.write(Entry.of(RECORD))
    records = _read(path).records

    assert len(records) < 10
    assert isinstance(records[-1], Trouble)
    assert "full" in records[-1].detail


async def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said in words."""
    with pytest.raises(PartFailed, match=r"cannot write the journal .*: is a directory"):
        JournalFile(tmp_path, OPENED)
