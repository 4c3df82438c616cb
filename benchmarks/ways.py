"""The ways from the load to the backend: none in between, a bare relay, the peers, and our proxy as it is set."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from benchmarks import peers, toxiproxy
from benchmarks.processes import (
    POLL_S,
    READY_S,
    BenchmarkFailed,
    Cores,
    Process,
    ended,
    environment,
    pinned,
    running,
)

ROOT = Path(__file__).parents[1]
COMPILED = ROOT / "build" / "compiled"
"""The package as `make compiled` leaves it; where that has not run, ours runs interpreted, and the page says so."""


class Kind(Enum):
    """Who stands in between."""

    DIRECT = "direct"
    RELAY = "bare relay"
    TOXIPROXY = "Toxiproxy"
    AIMOCK = "aimock"
    OURS = "chaosproxy"
    INTERPRETED = "chaosproxy, not compiled"
    TCP = "chaosproxy, TCP"


@dataclass(frozen=True, slots=True)
class Way:
    """A kind; for ours also the faults that it is started with."""

    kind: Kind
    name: str
    faults: tuple[str, ...] = ()

    @property
    def missing(self) -> str | None:
        """Why it cannot be measured here, or None."""
        match self.kind:
            case Kind.TOXIPROXY:
                return peers.toxiproxy().missing
            case Kind.AIMOCK:
                return peers.aimock().missing
        return None


DIRECT, RELAY, TOXIPROXY, AIMOCK, OURS, INTERPRETED, TCP = (Way(kind, kind.value) for kind in Kind)


def ours(name: str, *faults: str) -> Way:
    """Our proxy with faults."""
    return Way(Kind.OURS, f"{OURS.name}, {name}", faults)


@contextmanager
def started(way: Way, folder: Path, cores: Cores, upstream_port: int) -> Iterator[Process | None]:
    """What stands in between, in front of a port of this machine; None for the direct way. Raises BenchmarkFailed."""
    if way.missing:
        raise BenchmarkFailed(way.missing)
    match way.kind:
        case Kind.DIRECT:
            yield None
        case Kind.RELAY:
            with running([*pinned(cores.proxy), sys.executable, "-m", "benchmarks.relay", upstream_port]) as process:
                yield Process(process[0].pid, process[1]["port"])
        case Kind.TOXIPROXY:
            with toxiproxy.server(peers.toxiproxy().program, cores.proxy) as server:
                yield Process(server.pid, server.add("bench", upstream_port))
        case Kind.AIMOCK:
            with tempfile.TemporaryDirectory(dir=folder) as name, _aimock(Path(name), cores, upstream_port) as process:
                yield process
        case Kind.TCP:
            words, more = tcp_words(upstream_port)
            with running([*pinned(cores.proxy), *words], more) as process:
                yield Process(process[0].pid, process[1]["port"])
        case Kind.OURS | Kind.INTERPRETED:
            with tempfile.TemporaryDirectory(dir=folder) as name:
                words = [sys.executable, "-P", "-m", "chaosproxy", *serve_words(way, Path(name), upstream_port)]
                package = COMPILED if way.kind is Kind.OURS and COMPILED.is_dir() else ROOT
                with running([*pinned(cores.proxy), *words], {"PYTHONPATH": str(package)}) as (process, ready):
                    yield Process(process.pid, port_of(ready["listeners"]["main"]["url"]))


def tcp_words(upstream_port: int, latency_ms: int = 0) -> tuple[list[object], dict[str, str]]:
    """The command of our TCP proxy with a latency toxic, and its environment."""
    path = os.pathsep.join(map(str, (COMPILED, ROOT) if COMPILED.is_dir() else (ROOT,)))
    return [sys.executable, "-P", "-m", "benchmarks.tcp_proxy", upstream_port, latency_ms], {"PYTHONPATH": path}


def serve_words(way: Way, folder: Path, upstream_port: int) -> list[object]:
    """The command of our proxy: counters and journal on, as a user runs it."""
    faults = [word for fault in way.faults for word in ("--fault", fault)]
    places = ["--upstream", f"http://127.0.0.1:{upstream_port}", "--journal", folder / "journal.jsonl"]
    return ["serve", "--leash", "--listen", "127.0.0.1:0", "--seed", 1, *places, *faults]


def port_of(url: str) -> int:
    """The port in a URL that has one."""
    port = urlsplit(url).port
    assert port is not None  # noqa: S101 - the ready line names it
    return port


@contextmanager
def _aimock(folder: Path, cores: Cores, upstream_port: int) -> Iterator[Process]:
    """In proxy-only mode: what no fixture answers is forwarded; there are none."""
    (folder / "fixtures").mkdir()
    port = toxiproxy.free_port()
    words = [*pinned(cores.proxy), "node", str(peers.aimock().program), "--port", str(port), "--fixtures", "fixtures"]
    words += ["--proxy-only", "--provider-openai", f"http://127.0.0.1:{upstream_port}", "--log-level", "silent"]
    null = subprocess.DEVNULL
    with subprocess.Popen(words, cwd=folder, stdout=null, stderr=null, env=environment()) as process, ended(process):
        _await_health(port, process)
        yield Process(process.pid, port)


def _await_health(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(int(READY_S / POLL_S)):
        try:
            with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/health", timeout=READY_S):
                return
        except URLError:
            time.sleep(POLL_S)
        if process.poll() is not None:
            break
    raise BenchmarkFailed("aimock did not start")
