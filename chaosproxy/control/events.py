"""The journal on the wire: numbered lines, so that a reader who lost its connection goes on where it was."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from chaosproxy.journal.records import AnyRecord, Opened, Trouble, to_line

EVENTS_KEPT = 20_000
"""Records that wait for a slow or absent reader; older ones are lost, and the reader is told."""


class EventLog:
    """Keeps the newest records. ``opened`` comes first for every reader that starts at the beginning."""

    def __init__(self, opened: Opened, size: int = EVENTS_KEPT) -> None:
        self._opened = opened
        self._lines: deque[str] = deque(maxlen=size)
        self._changed = asyncio.Event()
        self._closed = False
        self._last_at = opened.mono
        self.newest = 0

    def add(self, record: AnyRecord) -> None:
        """Keep a record and wake the readers."""
        self.newest += 1
        self._lines.append(to_line(record))
        self._last_at = getattr(record, "at", self._last_at)
        self._wake()

    def close(self) -> None:
        """No more will come: readers end after the last record."""
        self._closed = True
        self._wake()

    async def follow(self, after: int) -> AsyncIterator[str]:
        """Numbered lines behind number ``after``, and then those that come, until the log is closed."""
        if after == 0:
            yield _numbered(0, to_line(self._opened))
        while True:
            changed = self._changed
            if (lost := self._oldest - after - 1) > 0:
                after += lost
                detail = f"{lost} records were lost: their reader was too slow, {self._lines.maxlen} are kept"
                yield _numbered(after, to_line(Trouble(at=self._last_at, part="events", detail=detail)))
            while after < self.newest and after + 1 >= self._oldest:
                after += 1
                yield _numbered(after, self._lines[after - self._oldest])
            if after == self.newest:
                if self._closed:
                    return
                await changed.wait()

    @property
    def _oldest(self) -> int:
        return self.newest - len(self._lines) + 1

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _numbered(number: int, line: str) -> str:
    return f'{{"n":{number},"record":{line.rstrip()}}}\n'
