"""Lines for whoever reads our standard output, or does not: a reader that has stopped must never stop the proxy."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from select import PIPE_BUF, select
from typing import Any

from chaosproxy.journal.entry import Entry
from chaosproxy.lab.part import announce
from chaosproxy.proxy.journal_file import GATHER_S

UNREAD_BYTES_MAX = 64 * 1024
"""What is kept for a slow reader beside the pipe itself; a line that is one too many is lost."""


class Outlet:
    """Writes whole lines to a pipe or a file, and never waits.

    It asks for room first instead of making the descriptor non-blocking: others may share it.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._unread = b""

    def add(self, line: bytes) -> None:
        """A line to write, newline included; lines for a reader who is gone or too slow are lost."""
        if len(self._unread) < UNREAD_BYTES_MAX:
            self._unread += line

    def flush(self) -> None:
        """Write what the reader has room for."""
        with suppress(BrokenPipeError):
            while self._unread and self._has_room():
                self._unread = self._unread[os.write(self._fd, self._unread[:PIPE_BUF]) :]

    def _has_room(self) -> bool:
        return bool(select([], [self._fd], [], 0)[1])


class JsonVoice:
    """The ready line, and after it the journal, on standard output. Needs a running loop from the ready line on."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._untold: list[bytes] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def ready(self, **facts: Any) -> None:
        """Say that it listens; entries that came before are told now."""
        announce(**facts)
        self._loop = asyncio.get_running_loop()
        self.tell_all()

    def tell(self, entry: Entry) -> None:
        """Tell an entry, not before the ready line, and together with those that come within GATHER_S."""
        if not self._untold and self._loop is not None:
            self._loop.call_later(GATHER_S, self.tell_all)
        self._untold.append(entry.line)

    def tell_all(self) -> None:
        """Tell what waits, now."""
        untold, self._untold = self._untold, []
        for line in untold:
            self._outlet.add(line)
        self._outlet.flush()
