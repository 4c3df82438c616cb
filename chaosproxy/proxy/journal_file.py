"""A journal on disk while it grows."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from chaosproxy.errors import PartFailed
from chaosproxy.journal.records import AnyRecord, Opened, Trouble, to_line

JOURNAL_BYTES_MAX = 1024 * 1024 * 1024
"""The largest journal of one process; beyond it records are lost, and its last one says so."""


class JournalFile:
    """Appends records, each line flushed; ``opened`` is the first. Raises PartFailed when it cannot be written."""

    def __init__(self, path: Path, opened: Opened, bytes_max: int = JOURNAL_BYTES_MAX) -> None:
        self._left = bytes_max
        self._started_at = opened.mono
        try:
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise PartFailed(f"cannot write the journal {path}: {(error.strerror or str(error)).lower()}") from error
        self.write(opened)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._file.close()

    def write(self, record: AnyRecord) -> None:
        """Append one record; it is with the operating system when this returns."""
        if self._left <= 0:
            return
        line = to_line(record)
        self._left -= len(line.encode())
        if self._left <= 0:
            at = getattr(record, "at", self._started_at)
            line = to_line(Trouble(at=at, part="journal", detail="the journal is full: later records are lost"))
        self._file.write(line)
        self._file.flush()
