"""Looks for lines in a log that were written since the run began."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from chaosproxy.experiment.probe import Seen
from chaosproxy.experiment.probe_kinds import LogProbe
from chaosproxy.probes.apart import apart
from chaosproxy.probes.command import CannotRun, run

BLOCK_BYTES = 1 << 20
"""A file is read in pieces of this size."""


async def begin(probe: LogProbe) -> Callable[[], Awaitable[Seen]]:
    """Remember where the log ends now: what stands before is not this run's."""
    if isinstance(probe.log, str):
        tail = Tail(Path(probe.log), probe.pattern)
        await apart(tail.skip)

        async def look_at_file() -> Seen:
            try:
                count = await apart(tail.count)
            except OSError as error:
                return Seen("unknown", None, f"the log cannot be read: {(error.strerror or str(error)).lower()}")
            return _judged(probe, count)

        return look_at_file
    return await _of_output(probe, probe.log)


async def _of_output(probe: LogProbe, argv: tuple[str, ...]) -> Callable[[], Awaitable[Seen]]:
    before: int | None = None
    with suppress(CannotRun):  # each look will say so
        status, output = await run(argv)
        before = len(_lines(output)) if status == 0 else None

    async def look_at_output() -> Seen:
        nonlocal before
        try:
            status, output = await run(argv)
        except CannotRun as error:
            return Seen("unknown", None, str(error))
        if status:
            return Seen("unknown", None, f"{argv[0]} ended with {status}, so its output may lack lines")
        lines = _lines(output)
        if before is None:
            before = len(lines)
            return Seen("unknown", None, f"{argv[0]} failed at first, so old lines cannot be told from new ones")
        if len(lines) < before:  # its log was begun anew
            before = 0
        return _judged(probe, sum(re.search(probe.pattern, line) is not None for line in lines[before:]))

    return look_at_output


class Tail:
    """A file that grows; one that was cut or replaced by a shorter one is read from its beginning."""

    def __init__(self, path: Path, pattern: str) -> None:
        self._path = path
        self._pattern = re.compile(pattern)
        self._at = 0
        self._file = 0
        self._found = 0

    def skip(self) -> None:
        """Leave out what stands there now; a file that does not exist yet has nothing."""
        try:
            stat = self._path.stat()
        except OSError:
            return
        self._at, self._file = stat.st_size, stat.st_ino

    def count(self) -> int:
        """Matching lines so far; a last line without its end is left for later. Raises OSError."""
        with self._path.open("rb") as file:
            stat = self._path.stat()
            if stat.st_size < self._at or (self._file and stat.st_ino != self._file):
                self._at = 0
            self._file = stat.st_ino
            file.seek(self._at)
            rest = b""
            while block := file.read(BLOCK_BYTES):
                whole, end, rest = (rest + block).rpartition(b"\n")
                self._at += len(whole) + len(end)
                self._found += sum(self._pattern.search(line) is not None for line in _lines(whole + end))
        return self._found


def _lines(output: bytes) -> list[str]:
    return output.decode("utf-8", "replace").splitlines()


def _judged(probe: LogProbe, count: int) -> Seen:
    return Seen.by(probe.expect, float(count), "the count of matching lines")
