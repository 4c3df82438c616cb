"""What the figures were measured on, and how calm it was."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import chaosproxy
from benchmarks import peers
from benchmarks.ways import COMPILED


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts for the page."""

    date: str
    cpu: str
    cores: int
    kernel: str
    versions: str

    @classmethod
    def look(cls) -> Machine:
        """The machine that we are on, now."""
        libraries = [f"{name} {_version(name)}" for name in ("aiohttp", "uvloop")]
        found = [f"{peer.name} {peer.version}" for peer in (peers.toxiproxy(), peers.aimock()) if not peer.missing]
        form = "compiled" if COMPILED.is_dir() else "not compiled"
        ours = [f"chaosproxy {chaosproxy.__version__} ({form})", f"Python {platform.python_version()}"]
        return cls(
            date=datetime.now(UTC).date().isoformat(),
            cpu=_cpu_model(),
            cores=len(os.sched_getaffinity(0)),
            kernel=f"{platform.system()} {platform.release().partition('-')[0]}",
            versions=", ".join([*ours, *libraries, *found]),
        )


class Watch:
    """While it is entered, it watches how much of the machine others use: all that is not in our process group."""

    others_cpu = 0.0
    """CPU time of other processes, as a share of all cores."""
    stolen = 0.0
    """The part of it that other machines on the same hardware took."""

    def __enter__(self) -> Self:
        self._began_s = time.monotonic()
        self._busy_s, self._ours_s, self._stolen_s = _busy_s(), _ours_s(), _stolen_s()
        return self

    def __exit__(self, *exc_info: object) -> None:
        all_s = (time.monotonic() - self._began_s) * (os.cpu_count() or 1)
        others_s = _busy_s() - self._busy_s - (_ours_s() - self._ours_s)
        self.others_cpu = max(0.0, others_s / all_s)
        self.stolen = (_stolen_s() - self._stolen_s) / all_s


def _busy_s() -> float:
    """CPU time of all processes of the machine, and what other machines on its hardware stole."""
    user, nice, system, _idle, _waiting, _irq, _softirq, stolen = map(int, _words(Path("/proc/stat"))[1:9])
    return (user + nice + system + stolen) / os.sysconf("SC_CLK_TCK")


def _stolen_s() -> float:
    return int(_words(Path("/proc/stat"))[8]) / os.sysconf("SC_CLK_TCK")


def _ours_s() -> float:
    """CPU time of our process group, children that have ended included."""
    group, ticks = str(os.getpgrp()), 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[2] == group:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _words(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").partition("\n")[0].split()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "(not installed)"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
