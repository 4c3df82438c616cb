"""The processes of a benchmark: llmbench as backend and as load, and the proxy, each on its core."""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SOURCE = Path(__file__).with_name("llmbench.c")
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
class Load:
    """``streams`` connections in a closed loop; without ``streamed`` they ask for plain JSON."""

    streams: int
    streamed: bool = True


@dataclass(frozen=True, slots=True)
class Sample:
    """What one load saw in ``seconds``, and what the proxy used for it; a direct one leaves that at 0."""

    seconds: float
    answers: int
    events: int
    errors: int
    incomplete: int
    event_p50_us: float
    event_p99_us: float
    first_byte_p50_us: float
    first_byte_p99_us: float
    proxy_cpu_s: float = 0.0
    proxy_rss_kib: int = 0


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy."""

    pid: int
    port: int

    @property
    def cpu_s(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def rss_kib(self) -> int:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() // 1024


def build(folder: Path) -> Path:
    """Compile llmbench into ``folder``. Raises BenchmarkFailed without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise BenchmarkFailed("no C compiler: llmbench.c needs `cc`")
    program = folder / "llmbench"
    built = subprocess.run([compiler, "-O2", "-o", program, SOURCE], capture_output=True, text=True, check=False)
    if built.returncode:
        raise BenchmarkFailed(f"cannot compile {SOURCE.name}:\n{built.stderr}")
    return program


def allow_files() -> None:
    """As many file descriptors as we may have, for us and all that we start."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def backend(program: Path, core: int | None, *, events: int, interval_us: int) -> Iterator[int]:
    """The backend of llmbench; its port."""
    with running([*pinned(core), program, "serve", 0, events, interval_us]) as (_, ready):
        yield ready["port"]


@contextmanager
def proxy(folder: Path, core: int | None, upstream_port: int, fault: str | None = None) -> Iterator[Proxy]:
    """``chaosproxy serve`` with its journal in a file, in front of a port of this machine."""
    serve = [sys.executable, "-m", "chaosproxy", "serve", "--leash", "--listen", "127.0.0.1:0", "--seed", 1]
    faults = [] if fault is None else ["--fault", fault]
    places = ["--upstream", f"http://127.0.0.1:{upstream_port}", "--journal", folder / "journal.jsonl"]
    with running([*pinned(core), *serve, *places, *faults]) as (process, ready):
        port = urlsplit(ready["listeners"]["main"]["url"]).port
        assert port is not None  # noqa: S101 - the ready line names it
        yield Proxy(process.pid, port)


def apply_load(
    program: Path,
    core: int | None,
    load: Load,
    *,
    port: int,
    spread_s: float,
    seconds: float,
    events: int,
    through: Proxy | None,
) -> Sample:
    """Run one load against ``port``: ``spread_s`` to get under way, then ``seconds`` that count.

    Raises BenchmarkFailed when it fails or does not end in time.
    """
    words = load_words(program, core, load, port=port, spread_s=spread_s, seconds=seconds, events=events)
    if through:
        _settle(through)
    with subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True) as process:
        try:
            read_line(process, spread_s + END_S)
            began_cpu_s = through.cpu_s if through else 0.0
            rss_kib = _await_end(process, seconds, through)
            cpu_s = through.cpu_s - began_cpu_s if through else 0.0
            seen = read_line(process, END_S)
        finally:
            process.kill()
    return _sample(seen, cpu_s, rss_kib)


def load_words(
    program: Path, core: int | None, load: Load, *, port: int, spread_s: float, seconds: float, events: int
) -> list[object]:
    """The command of a load; a path after it makes a trace."""
    words = [*pinned(core), program, "load", "127.0.0.1", port, load.streams, seconds, int(load.streamed)]
    return [*words, events if load.streamed else 0, spread_s]


def _settle(proxy: Proxy) -> None:
    """Wait until a proxy has dealt with what the last load left behind."""
    for _ in range(int(END_S / POLL_S)):
        before_s = proxy.cpu_s
        time.sleep(POLL_S)
        if proxy.cpu_s == before_s:
            return


def _await_end(process: subprocess.Popen[str], seconds: float, through: Proxy | None) -> int:
    """Wait for a load; the most memory that the proxy had meanwhile."""
    rss_kib = 0
    for _ in range(int((seconds + END_S) / POLL_S)):
        rss_kib = max(rss_kib, through.rss_kib) if through else 0
        try:
            process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            continue
        return rss_kib
    raise BenchmarkFailed(f"the load did not end within {seconds + END_S:g} s")


def _sample(seen: dict[str, Any], cpu_s: float, rss_kib: int) -> Sample:
    return Sample(
        seconds=seen["seconds"],
        answers=seen["answers"],
        events=seen["events"],
        errors=seen["errors"],
        incomplete=seen["incomplete"],
        event_p50_us=seen["event_us"]["p50"],
        event_p99_us=seen["event_us"]["p99"],
        first_byte_p50_us=seen["first_byte_us"]["p50"],
        first_byte_p99_us=seen["first_byte_us"]["p99"],
        proxy_cpu_s=cpu_s,
        proxy_rss_kib=rss_kib,
    )


def pinned(core: int | None) -> list[str]:
    """The words before a command that keep it on a core."""
    return [] if core is None else ["taskset", "-c", str(core)]


def _environment() -> dict[str, str]:
    """Ours, without what would configure the proxy or send its requests elsewhere."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CHAOSPROXY_")}
    return {**ours, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@contextmanager
def running(words: Sequence[object]) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A process that prints one JSON line when it is ready: itself and that line; it is ended afterwards."""
    command = [str(word) for word in words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(), text=True
    ) as process:
        try:
            yield process, read_line(process, READY_S)
        finally:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()


def read_line(process: subprocess.Popen[str], timeout_s: float) -> dict[str, Any]:
    """The next line that it prints, as JSON. Raises BenchmarkFailed when there is none."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    readable, _, _ = select.select([process.stdout], [], [], timeout_s)
    line = process.stdout.readline() if readable else ""
    if not line:
        raise BenchmarkFailed(f"ended, or silent for {timeout_s:g} s: {process.args!r}")
    said: dict[str, Any] = json.loads(line)
    return said
