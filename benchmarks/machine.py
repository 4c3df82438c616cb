"""What the figures were measured on, and how calm it was."""

from __future__ import annotations

import os
import platform
import resource
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import chaosproxy


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts for the page."""

    date: str
    cpu: str
    cores: int
    kernel: str
    versions: str
    load_average: float

    @classmethod
    def look(cls) -> Machine:
        """The machine that we are on, now."""
        libraries = [f"{name} {_version(name)}" for name in ("aiohttp", "uvloop")]
        python = f"Python {platform.python_version()}"
        return cls(
            date=datetime.now(UTC).date().isoformat(),
            cpu=_cpu_model(),
            cores=len(os.sched_getaffinity(0)),
            kernel=f"{platform.system()} {platform.release().partition('-')[0]}",
            versions=", ".join([f"chaosproxy {chaosproxy.__version__}", python, *libraries]),
            load_average=os.getloadavg()[0],
        )


class Watch:
    """While it is entered, it watches how much of the machine others use."""

    others_cpu = 0.0
    """CPU time of processes that are not ours, as a share of all cores."""

    def __enter__(self) -> Self:
        self._began_s = time.monotonic()
        self._busy_s, self._ours_s = _busy_s(), _ours_s()
        return self

    def __exit__(self, *exc_info: object) -> None:
        all_s = (time.monotonic() - self._began_s) * (os.cpu_count() or 1)
        others_s = _busy_s() - self._busy_s - (_ours_s() - self._ours_s)
        self.others_cpu = max(0.0, others_s / all_s)


def _busy_s() -> float:
    """CPU time of the machine but for idling and waiting for disks."""
    user, nice, system, _idle, _waiting, *rest = Path("/proc/stat").read_text(encoding="ascii").split()[1:9]
    return sum(map(int, (user, nice, system, *rest))) / os.sysconf("SC_CLK_TCK")


def _ours_s() -> float:
    """CPU time of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


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
