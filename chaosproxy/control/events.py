"""The journal on the wire: numbered lines, so that a reader who lost its connection goes on where it was."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import Opened, Trouble, to_line

EVENTS_KEPT = 20_000
"""Records that wait for a slow or absent reader; older ones are lost, and the reader is told."""
EVENT_BYTES_KEPT = 16 * 1024 * 1024
"""How much these may come to."""
TURN = 100
"""Records that a reader gets before the streams have their turn again: there may be many for one who comes late."""


class EventLog:
    """Keeps the newest records. ``opened`` comes first for every reader that starts at the beginning."""

    def __init__(self, opened: Opened, size: int = EVENTS_KEPT, bytes_max: int = EVENT_BYTES_KEPT) -> None:
        self._opened = opened
        self._size = size
        self._bytes_max = bytes_max
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._changed: asyncio.Event | None = None  # there while a reader waits
        self._closed = False
        self._last_at = opened.mono
        self.newest = 0

    def add(self, entry: Entry) -> None:
        """Keep an entry and wake the readers."""
        line = entry.line
        self.newest += 1
        self._lines.append(line)
        self._bytes += len(line)
        while len(self._lines) > self._size or self._bytes > self._bytes_max:
            self._bytes -= len(self._lines.popleft())
        if entry.at is not None:
            self._last_at = entry.at
        self._wake()

    def close(self) -> None:
        """No more will come: readers end after the last record."""
        self._closed = True
        self._wake()

    async def follow(self, after: int) -> AsyncIterator[bytes]:
        """Numbered lines behind number ``after``, and then those that come, until the log is closed."""
        if after == 0:
            yield _numbered(0, to_line(self._opened))
        while True:
            if (lost := self._oldest - after - 1) > 0:
                after += lost
                yield _numbered(after, to_line(self._loss(lost)))
            while after < self.newest and after + 1 >= self._oldest:
                after += 1
                yield _numbered(after, self._lines[after - self._oldest])
                if after % TURN == 0:
                    await asyncio.sleep(0)
            if after == self.newest:
                if self._closed:
                    return
                if self._changed is None:
                    self._changed = asyncio.Event()
                await self._changed.wait()

    @property
    def _oldest(self) -> int:
        return self.newest - len(self._lines) + 1

    def _loss(self, lost: int) -> Trouble:
        kept = f"{self._size} of them or {self._bytes_max} bytes are kept"
        detail = f"{lost} records were lost: their reader was too slow, {kept}"
        return Trouble(at=self._last_at, part="events", detail=detail)

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None


def _numbered(number: int, line: bytes) -> bytes:
    return b'{"n":%d,"record":%b}\n' % (number, line.rstrip())
