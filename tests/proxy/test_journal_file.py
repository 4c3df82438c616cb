"""A journal on disk while it grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosproxy.errors import PartFailed
from chaosproxy.journal.reading import read_journal
from chaosproxy.journal.records import Opened, Trouble
from chaosproxy.proxy.journal_file import JournalFile

OPENED = Opened(process="proxy", host="h", pid=1, mono=5.0, wall=9.0, chaosproxy="0")
RECORD = Trouble(at=6.0, part="x", detail="y")


def test_each_record_is_there_at_once(tmp_path: Path) -> None:
    """The opening is first, and nothing waits in a buffer of ours."""
    path = tmp_path / "journal.jsonl"
    with JournalFile(path, OPENED) as journal:
        journal.write(RECORD)
        records = read_journal(path.read_text().splitlines()).records

    assert records == (OPENED, RECORD)


def test_its_size_is_bounded(tmp_path: Path) -> None:
    """The last record says that more was lost."""
    path = tmp_path / "journal.jsonl"
    with JournalFile(path, OPENED, bytes_max=300) as journal:
        for _ in range(50):
            journal.write(RECORD)
    records = read_journal(path.read_text().splitlines()).records

    assert len(records) < 10
    assert isinstance(records[-1], Trouble)
    assert "full" in records[-1].detail


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said in words."""
    with pytest.raises(PartFailed, match=r"cannot write the journal .*: is a directory"):
        JournalFile(tmp_path, OPENED)
