"""`chaosproxy serve` as a process whose memory, descriptors and processor time are looked at from outside (Linux)."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINUX = sys.platform == "linux"
READY_S = 30.0
_CHECK_S = 0.02


@dataclass(frozen=True, slots=True)
class Watched:
    """A running process, as /proc shows it."""

    process: Process
    ready: dict[str, Any]

    @property
    def url(self) -> str:
        """Of the only listener."""
        (listener,) = self.ready["listeners"].values()
        return str(listener["url"])

    @property
    def files(self) -> int:
        """Open descriptors."""
        return len(list(self._proc("fd").iterdir()))

    @property
    def rss_bytes(self) -> int:
        """Resident memory."""
        return int(self._proc("statm").read_text().split()[1]) * resource.getpagesize()

    @property
    def peak_rss_bytes(self) -> int:
        """The most resident memory since ``forget_peak``."""
        (line,) = (line for line in self._proc("status").read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    @property
    def cpu_s(self) -> float:
        """User and system time so far."""
        fields = self._proc("stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def forget_peak(self) -> None:
        """Let the peak begin at what is resident now."""
        self._proc("clear_refs").write_text("5")

    async def idle(self) -> None:
        """Wait until it has used no processor time for a while."""
        before_s = -1.0
        while self.cpu_s != before_s:
            before_s = self.cpu_s
            await asyncio.sleep(0.1)

    def _proc(self, name: str) -> Path:
        return Path(f"/proc/{self.process.pid}/{name}")


@asynccontextmanager
async def serving(
    upstream: str, *words: str, files: int | None = None, env: dict[str, str] | None = None
) -> AsyncIterator[Watched]:
    """A proxy in front of ``upstream``, with at most ``files`` descriptors; it is ended afterwards."""
    command = [sys.executable, "-m", "chaosproxy", "serve", "--leash", "--listen", "127.0.0.1:0", "--seed", "1"]
    command += ["--upstream", upstream, *words]
    if files is not None:
        command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
    async with _started(command, env or {}) as (process, ready):
        yield Watched(process, ready)


@asynccontextmanager
async def _started(command: list[str], env: dict[str, str]) -> AsyncIterator[tuple[Process, dict[str, Any]]]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env={**untraced(), **env}
    )
    assert process.stdout is not None
    try:
        yield process, json.loads(await asyncio.wait_for(process.stdout.readline(), READY_S))
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def untraced() -> dict[str, str]:
    """Our environment without coverage's: its tracer would be weighed and timed along with the proxy."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}


async def until(is_so: Callable[[], bool | Awaitable[bool]], within_s: float = 30.0) -> None:
    """Wait for what /proc can only be asked about."""
    async with asyncio.timeout(within_s):
        while True:
            answer = is_so()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(_CHECK_S)
