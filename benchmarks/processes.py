"""Processes of a benchmark: built, started on their cores, watched and ended."""

from __future__ import annotations

import json
import os
import resource
import select
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).with_name("llmbench")
READY_S = 30.0
"""How long a process may take until its ready line."""
END_S = 10.0
"""How long a process that was told to end, or whose time is over, may take."""
POLL_S = 0.1


class BenchmarkFailed(Exception):
    """No figures: a part could not be built, started or ended."""


@dataclass(frozen=True, slots=True)
class Cores:
    """One core for load and backend, one for the proxy; None where the machine has only one."""

    load: int | None
    proxy: int | None

    @classmethod
    def choose(cls) -> Cores:
        """The first and the last core that we may use."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[-1]) if len(cores) > 1 and shutil.which("taskset") else cls(None, None)


@dataclass(frozen=True, slots=True)
class Process:
    """A running server."""

    pid: int
    port: int

    @property
    def cpu_s(self) -> float:
        """CPU time so far, of all its threads; to the nanosecond, where ticks of a process are 10 ms."""
        total_ns = 0
        for path in Path(f"/proc/{self.pid}/task").glob("*/schedstat"):
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread may end meanwhile
                total_ns += int(path.read_text(encoding="ascii").split()[0])
        return total_ns / 1e9

    @property
    def rss_kib(self) -> int:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() // 1024

    def settle(self) -> None:
        """Wait until it has dealt with what the last load left behind."""
        for _ in range(int(END_S / POLL_S)):
            before_s = self.cpu_s
            time.sleep(POLL_S)
            if self.cpu_s - before_s < POLL_S / 20:
                return


def build(folder: Path) -> Path:
    """Compile llmbench into ``folder``. Raises BenchmarkFailed without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise BenchmarkFailed("no C compiler: llmbench needs `cc`")
    program = folder / "llmbench"
    words = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), *map(str, sorted(SOURCES.glob("*.c")))]
    built = subprocess.run(words, capture_output=True, text=True, check=False)
    if built.returncode:
        raise BenchmarkFailed(f"cannot compile llmbench:\n{built.stderr}")
    return program


def allow_files() -> None:
    """As many file descriptors as we may have, for us and all that we start."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pinned(core: int | None) -> list[str]:
    """The words before a command that keep it on a core."""
    return [] if core is None else ["taskset", "-c", str(core)]


@contextmanager
def backend(program: Path, core: int | None) -> Iterator[int]:
    """The backend of llmbench; its port."""
    with running([*pinned(core), program, "serve", 0]) as (_, ready):
        yield ready["port"]


@contextmanager
def running(
    words: Sequence[object], more: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A process that prints one JSON line when it is ready: itself and that line; it is ended afterwards.

    ``more`` is added to its environment.
    """
    command = [str(word) for word in words]
    with (
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**environment(), **(more or {})}, text=True
        ) as process,
        ended(process),
    ):
        yield process, read_line(process, READY_S)


@contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[None]:
    """End a process afterwards, whatever happens."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()


def environment() -> dict[str, str]:
    """Ours, without what would configure the proxy or send its requests elsewhere."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CHAOSPROXY_")}
    return {**ours, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def read_line(process: subprocess.Popen[str], timeout_s: float) -> dict[str, Any]:
    """The next line that it prints, as JSON. Raises BenchmarkFailed when there is none."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    readable, _, _ = select.select([process.stdout], [], [], timeout_s)
    line = process.stdout.readline() if readable else ""
    if not line:
        words = [str(word) for word in process.args] if isinstance(process.args, list) else [str(process.args)]
        what = f"silent for {timeout_s:g} s" if not readable else "ended early"
        raise BenchmarkFailed(f"{what}: `{shlex.join(words)}`")
    said: dict[str, Any] = json.loads(line)
    return said
