"""The journal on the wire: server-sent events with ids, so that a reader who lost its connection goes on where it was.

An id is that of the proxy's start and a number: a reader that meets a proxy which was started anew is told so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from secrets import token_hex

from chaosproxy.control.hits import Hits
from chaosproxy.control.newest_lines import NewestLines
from chaosproxy.errors import UserError
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import Opened, Trouble, to_line

EVENTS_KEPT = 20_000
"""Records that wait for a slow or absent reader; older ones are lost, and the reader is told."""
EVENT_BYTES_KEPT = 16 * 1024 * 1024
"""How much these may come to."""
KEEP_ALIVE_S = 5.0
"""A reader hears at least something so often; one that does not has lost its connection."""
STARTED_ANEW = "the proxy was started anew, and its records of before are lost"
TURN = 100
"""Records that a reader gets before the streams have their turn again: there may be many for one who comes late."""


class EventLog:
    """Keeps the newest records and counts hits. ``opened`` comes first for readers that start at the beginning."""

    def __init__(self, opened: Opened, size: int = EVENTS_KEPT, bytes_max: int = EVENT_BYTES_KEPT) -> None:
        self._opened = opened
        self._kept = f"{size} of them or {bytes_max} bytes are kept"
        self._lines = NewestLines(size, bytes_max)
        self._changed: asyncio.Event | None = None  # there while a reader waits
        self._closed = False
        self._last_at = opened.mono
        self.hits = Hits()
        self.instance = token_hex(4)
        """Of this start of the proxy."""

    @property
    def newest(self) -> str:
        """The id of the newest event."""
        return self._id(self._lines.count)

    @property
    def closed(self) -> bool:
        """Whether no more will come."""
        return self._closed

    def add(self, entry: Entry) -> None:
        """Keep an entry and wake the readers."""
        self._lines.add(entry.line)
        if entry.at is not None:
            self._last_at = entry.at
        self.hits.add(entry)
        self._wake()

    def close(self) -> None:
        """No more will come: readers end after the last record."""
        self._closed = True
        self._wake()

    def follow(self, after: str = "") -> AsyncIterator[bytes]:
        """Events behind the id ``after``, and then those that come, until the log is closed; a comment now and then.

        Raises UserError, at once, for what is no id.
        """
        return self._from(*self._start(after))

    async def _from(self, number: int, first: list[bytes]) -> AsyncIterator[bytes]:
        lines = self._lines
        for line in first:
            yield self._event(number, line)
        while True:
            if (lost := lines.oldest - number - 1) > 0:
                number += lost
                yield self._event(number, to_line(self._loss(lost)))
            while number < lines.count and number + 1 >= lines.oldest:
                number += 1
                yield self._event(number, lines.line(number))
                if number % TURN == 0:
                    await asyncio.sleep(0)
            if number == lines.count:
                if self._closed:
                    return
                yield b"" if await self._news() else b":\n\n"

    def lines(self) -> Iterator[bytes]:
        """What is kept, as a journal."""
        yield to_line(self._opened)
        if lost := self._lines.oldest - 1:
            yield to_line(self._loss(lost))
        yield from self._lines.lines()

    def _start(self, after: str) -> tuple[int, list[bytes]]:
        """From which number on, and what comes before it."""
        if not after:
            return 0, [to_line(self._opened)]
        instance, dash, number = after.partition("-")
        if not (dash and number.isdecimal() and number.isascii() and len(number) < 19):
            raise UserError(f"after: expected the id of an event, such as {self.newest}, got {after!r}")
        if instance != self.instance:
            anew = Trouble(at=self._last_at, part="events", detail=STARTED_ANEW)
            return 0, [to_line(anew), to_line(self._opened)]
        return min(int(number), self._lines.count), []

    async def _news(self) -> bool:
        """Wait for a record, or for as long as a reader may hear nothing."""
        if self._changed is None:
            self._changed = asyncio.Event()
        try:
            await asyncio.wait_for(self._changed.wait(), KEEP_ALIVE_S)
        except TimeoutError:
            return False
        return True

    def _loss(self, lost: int) -> Trouble:
        detail = f"{lost} records were lost: their reader was too slow, {self._kept}"
        return Trouble(at=self._last_at, part="events", detail=detail)

    def _id(self, number: int) -> str:
        return f"{self.instance}-{number}"

    def _event(self, number: int, line: bytes) -> bytes:
        return b"id: %b\ndata: %b\n\n" % (self._id(number).encode(), line.rstrip())

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None
