"""Experiments of one folder, started beside a proxy to drive it: ``chaosproxy run FILE --attach`` as a child."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from chaosproxy.control.desk import NoSuch
from chaosproxy.control.page.messages import Experiments, Trial
from chaosproxy.errors import UserError, printable
from chaosproxy.plan.plan import Conflict

FILES_MAX = 500
"""As many files are offered."""
LINES_KEPT = 30
"""Of what a run says."""
LINE_CHARS = 400
LINE_BYTES_MAX = 1 << 20
"""The longest line that a run may print."""
END_WITHIN_S = 15.0
"""How long a run may take to heal and end when the proxy ends; after that its leases have to do it."""
VERDICTS = {
    0: "held",
    1: "deviated",
    2: "not started: the file or its usage is wrong",
    3: "inconclusive",
    4: "aborted",
    5: "error",
    130: "stopped",
    143: "terminated",
}


class ExperimentFolder:
    """Starts one experiment at a time. ``control`` is to be told the URL of the proxy's control API.

    As a context manager: a run that is under way at its end heals first. Raises UserError for what is no folder.
    """

    def __init__(self, folder: Path, token: str | None, plugins: Sequence[str] = ()) -> None:
        if not folder.is_dir():
            raise UserError(f"--experiments: {folder} is not a folder")
        self._folder = folder
        self._token = token
        self._plugins = tuple(plugins)
        self._process: Process | None = None
        self._following: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._name = ""
        self._began = 0.0
        self._stopping = False
        self._said: deque[str] = deque(maxlen=LINES_KEPT)
        self.control = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._process is None or self._following is None or not self._under_way:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(self._following), END_WITHIN_S)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._following

    def files(self) -> tuple[str, ...]:
        """Names of the files that can be started."""
        try:
            names = sorted(path.name for path in self._folder.iterdir() if path.suffix in (".yaml", ".yml"))
        except OSError:
            return ()
        return tuple(names[:FILES_MAX])

    async def start(self, name: str) -> None:
        """Raises NoSuch, Conflict while another one goes on, UserError when it cannot be started."""
        async with self._starting:
            await self._start(name)

    async def _start(self, name: str) -> None:
        if name not in self.files():
            raise NoSuch(f"there is no experiment {printable(name)!r} in {self._folder}")
        if self._under_way:
            raise Conflict(f"{self._name} is under way; stop it first")
        plugins = [word for plugin in self._plugins for word in ("--plugin", plugin)]
        argv = [sys.executable, "-m", "chaosproxy", "run", str(self._folder / name), "--attach", self.control, *plugins]
        env = {key: value for key, value in os.environ.items() if not key.startswith("CHAOSPROXY_")}
        if self._token is not None:
            env["CHAOSPROXY_TOKEN"] = self._token
        self._name, self._began, self._stopping = name, time.monotonic(), False
        self._said.clear()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *argv, stdin=PIPE, stdout=PIPE, stderr=STDOUT, env=env, start_new_session=True, limit=LINE_BYTES_MAX
            )
        except OSError as error:
            raise UserError(f"{name} cannot be started: {error.strerror}") from error
        self._following = asyncio.create_task(self._follow(self._process))

    def stop(self) -> None:
        """Let the run heal and end early. Raises NoSuch when none is under way."""
        if not self._under_way:
            raise NoSuch("no experiment is under way")
        self._stopping = True
        self._signal(signal.SIGINT)

    def state(self) -> Experiments:
        """What there is, and the last one that was started."""
        if self._process is None:
            return Experiments(files=self.files(), trial=None)
        code = None if self._under_way else self._process.returncode
        return Experiments(
            files=self.files(),
            trial=Trial(
                name=self._name,
                began=self._began,
                stopping=self._stopping,
                exit_code=code,
                verdict="" if code is None else VERDICTS.get(code, f"ended with {code}"),
                said=tuple(self._said),
            ),
        )

    @property
    def _under_way(self) -> bool:
        return self._following is not None and not self._following.done()

    async def _follow(self, process: Process) -> None:
        """Keep its newest lines, until it has ended."""
        if process.stdout is None:
            return
        with suppress(ValueError):  # a line beyond all measure: nothing more is shown
            while line := await process.stdout.readline():
                self._said.append(printable(line.decode("utf-8", "replace").rstrip())[:LINE_CHARS])
        await process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
