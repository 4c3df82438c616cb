"""The processes that a run starts: proxy, load, lab systems, and the user's own commands.

Each ends at EOF of its standard input, which is a pipe of ours: nothing survives the runner, however it dies. They live
in sessions of their own, so that Ctrl-C reaches the runner alone, which heals before it ends them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from chaosproxy.errors import PartFailed

READY_WITHIN_S = 20.0
"""How long a part of ours may take to print its ready line."""
STOP_WITHIN_S = 3.0
"""How long a part may take to end by itself before it is killed."""
LINE_BYTES_MAX = 1 << 20
"""Longest line that a part may print."""


class Part:
    """A child process. ``ready`` is its ready line, parsed; its messages stand in ``log``."""

    def __init__(self, name: str, process: Process, log: Path) -> None:
        self.name = name
        self.log = log
        self.ready: dict[str, Any] = {}
        self._process = process

    @classmethod
    async def start(cls, name: str, argv: Sequence[str], directory: Path) -> Part:
        """Start a process whose messages go to ``directory/NAME.log``. Raises PartFailed."""
        log = directory / f"{name}.log"
        with log.open("wb") as messages:
            try:
                process = await asyncio.create_subprocess_exec(
                    *argv, stdin=PIPE, stdout=PIPE, stderr=messages, start_new_session=True, limit=LINE_BYTES_MAX
                )
            except OSError as error:
                raise PartFailed(f"{name}: cannot start {argv[0]}: {error.strerror}") from error
        return cls(name, process, log)

    @classmethod
    async def start_module(cls, name: str, module: str, args: Sequence[str], directory: Path) -> Part:
        """Start a part of ours, ``python -m MODULE``, and wait for its ready line. Raises PartFailed."""
        part = await cls.start(name, [sys.executable, "-m", module, *args], directory)
        try:
            await part.wait_ready()
        except BaseException:
            await part.stop()
            raise
        return part

    @classmethod
    async def start_command(cls, name: str, command: Sequence[str], directory: Path, env: Mapping[str, str]) -> Part:
        """Start a user's command on a leash; its output goes to the log."""
        argv = [sys.executable, "-m", "chaosproxy.runner.leash", "--", *command]
        log = directory / f"{name}.log"
        with log.open("wb") as messages:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=PIPE, stdout=messages, stderr=messages, env=dict(env), start_new_session=True
            )
        return cls(name, process, log)

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def wait_ready(self) -> None:
        """Read the ready line. Raises PartFailed when the process ends or stays silent."""
        try:
            line = await asyncio.wait_for(self._stdout.readline(), READY_WITHIN_S)
            self.ready = json.loads(line)
        except TimeoutError:
            raise PartFailed(f"{self.name}: not ready after {READY_WITHIN_S:g} s{self.last_words()}") from None
        except ValueError:
            await self.wait()
            raise PartFailed(f"{self.name}: ended before it was ready{self.last_words()}") from None

    async def send(self, line: str) -> None:
        """Write a line to its standard input; a part that is gone does not mind."""
        if self._process.stdin is not None:
            with suppress(ConnectionError):
                self._process.stdin.write(line.encode() + b"\n")
                await self._process.stdin.drain()

    async def lines(self) -> AsyncIterator[str]:
        """What it prints, until it ends."""
        while line := await self._stdout.readline():
            yield line.decode("utf-8", "replace")

    async def wait(self) -> int:
        """Its exit status."""
        return await self._process.wait()

    async def must_live(self) -> NoReturn:
        """Raises PartFailed when the process ends."""
        status = await self.wait()
        raise PartFailed(f"{self.name} ended in mid-run with status {status}{self.last_words()}")

    async def stop(self) -> None:
        """Close the leash; kill what does not end in time."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self.log.exists() and self.log.stat().st_size == 0:
            self.log.unlink()

    @property
    def _stdout(self) -> asyncio.StreamReader:
        if self._process.stdout is None:
            raise PartFailed(f"{self.name} prints into its log, {self.log}")
        return self._process.stdout

    def last_words(self) -> str:
        """The end of its log, indented, for error messages."""
        words = self.log.read_text("utf-8", "replace").strip().splitlines()[-5:]
        return ":\n  " + "\n  ".join(words) if words else f" (see {self.log})"
