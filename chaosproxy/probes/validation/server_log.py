"""The log of the server under validation: exceptions that were written since the validation began."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from chaosproxy.probes.command import CannotRun, run
from chaosproxy.probes.validation.consistency import Check

EXCEPTION = re.compile(r"Traceback \(most recent call last\)|\b\w*(?:Exception|Error)\b\s*:|\bpanic:|\bFATAL\b")
LINES_SHOWN = 5
_BYTES_MAX = 16 * 1024 * 1024


class ServerLog(Protocol):
    """Where a log is found."""

    async def begin(self) -> None:
        """Remember where it ends now."""

    async def written(self) -> str:
        """What was written since. Raises OSError or CannotRun."""


class LogFile:
    """A file that grows, or that does not exist yet."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._from = 0

    async def begin(self) -> None:
        self._from = self._path.stat().st_size if self._path.exists() else 0

    async def written(self) -> str:
        with self._path.open("rb") as file:
            file.seek(self._from if self._path.stat().st_size >= self._from else 0)
            return file.read(_BYTES_MAX).decode("utf-8", "replace")


class LogCommand:
    """A program that prints the whole log, such as ``docker logs gateway``; lines are counted."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        self._argv = argv
        self._before = 0

    async def begin(self) -> None:
        try:
            self._before = len((await run(self._argv))[1].splitlines())
        except CannotRun:
            self._before = 0  # it is said at the end

    async def written(self) -> str:
        lines = (await run(self._argv))[1].splitlines()
        new = lines[self._before if len(lines) >= self._before else 0 :]
        return b"\n".join(new).decode("utf-8", "replace")


async def log_check(log: ServerLog) -> Check:
    """No exception in it, or the first lines that tell of one."""
    try:
        lines = (await log.written()).splitlines()
    except (OSError, CannotRun) as error:
        return Check("log without exceptions", ok=False, detail=f"it cannot be read: {error}")
    told = [line.strip() for line in lines if EXCEPTION.search(line)][:LINES_SHOWN]
    return Check("log without exceptions", not told, " | ".join(told))
