"""A journal on disk while it grows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Self

from chaosproxy.errors import PartFailed
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import Opened, Trouble, to_line

JOURNAL_BYTES_MAX = 1024 * 1024 * 1024
"""The largest journal of one process; beyond it records are lost, and its last one says so."""
GATHER_S = 0.05
"""How long a line may wait for others, so that a burst costs one write."""


class JournalFile:
    """Appends entries, each with the operating system after at most GATHER_S; ``opened`` is there from the start.

    Leaving the context writes what waits, whatever ended it: only a kill (SIGKILL, a crash of the interpreter) may lose
    the last GATHER_S. Needs a running loop. Raises PartFailed when the file cannot be written.
    """

    def __init__(self, path: Path, opened: Opened, bytes_max: int = JOURNAL_BYTES_MAX) -> None:
        self._loop = asyncio.get_running_loop()
        self._started_at = opened.mono
        first = to_line(opened)
        self._left = bytes_max - len(first)
        self._waiting: list[bytes] = []
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise PartFailed(f"cannot write the journal {path}: {(error.strerror or str(error)).lower()}") from error
        self._file.write(first)
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._write_waiting()
        self._file.close()

    def write(self, entry: Entry) -> None:
        """Append one entry."""
        if self._left <= 0:
            return
        line = entry.line
        self._left -= len(line)
        if self._left <= 0:
            at = self._started_at if entry.at is None else entry.at
            line = to_line(Trouble(at=at, part="journal", detail="the journal is full: later records are lost"))
        if not self._waiting:
            self._loop.call_later(GATHER_S, self._write_waiting)
        self._waiting.append(line)

    def _write_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._file.write(b"".join(waiting))
            self._file.flush()
