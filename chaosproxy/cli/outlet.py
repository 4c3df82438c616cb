"""Lines for whoever reads our standard output, or does not: a reader that has stopped must never stop the proxy."""

from __future__ import annotations

import os
from contextlib import suppress
from select import PIPE_BUF, select
from typing import Any

from chaosproxy.journal.entry import Entry
from chaosproxy.lab.part import announce

UNREAD_BYTES_MAX = 64 * 1024
"""What is kept for a slow reader beside the pipe itself; a line that is one too many is lost."""


class Outlet:
    """Writes whole lines to a pipe or a file, and never waits.

    It asks for room first instead of making the descriptor non-blocking: others may share it.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._unread = b""

    def write(self, line: bytes) -> None:
        """Write a line, newline included; lines for a reader who is gone or too slow are lost."""
        if len(self._unread) < UNREAD_BYTES_MAX:
            self._unread += line
        with suppress(BrokenPipeError):
            while self._unread and self._has_room():
                self._unread = self._unread[os.write(self._fd, self._unread[:PIPE_BUF]) :]

    def _has_room(self) -> bool:
        return bool(select([], [self._fd], [], 0)[1])


class JsonVoice:
    """The ready line, and after it the journal, on standard output."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._early: list[Entry] | None = []

    def ready(self, **facts: Any) -> None:
        """Say that it listens; entries that came before are told now."""
        announce(**facts)
        early, self._early = self._early or [], None
        for entry in early:
            self.tell(entry)

    def tell(self, entry: Entry) -> None:
        """Tell an entry, not before the ready line."""
        if self._early is None:
            self._outlet.write(entry.line)
        else:
            self._early.append(entry)
