"""Looks at what a process and its children use, in /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from chaosproxy.experiment.probe import Scene, Seen
from chaosproxy.experiment.probe_kinds import ProcessProbe, ProcessTarget
from chaosproxy.probes.apart import apart
from chaosproxy.probes.container import CannotLook, first_process

PROC = Path("/proc")
_LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children use at one moment; ``cpu_s`` is what they have used so far."""

    at: float
    memory_bytes: int
    cpu_s: float


async def begin(probe: ProcessProbe, scene: Scene) -> Callable[[], Awaitable[Seen]]:
    """Use of a processor counts from now on."""
    before: Usage | None = None

    async def look() -> Seen:
        nonlocal before
        try:
            usage = await _usage(probe.process, scene)
        except CannotLook as error:
            return Seen("unknown", None, str(error))
        earlier, before = before, usage
        return Seen("failed", None, "there is no such process") if usage is None else judged(probe, usage, earlier)

    await look()
    return look


def judged(probe: ProcessProbe, usage: Usage, earlier: Usage | None) -> Seen:
    """Usage, as what was seen; without an earlier one there is no use of a processor yet."""
    used = {"memory_mb": usage.memory_bytes / 1e6}
    if earlier is not None and usage.at > earlier.at:  # a child that has ended takes its time along
        used["cpu_percent"] = 100 * max(usage.cpu_s - earlier.cpu_s, 0.0) / (usage.at - earlier.at)
    value = used.get(probe.value)
    for name, bound in (("memory_mb", probe.expect.memory_mb), ("cpu_percent", probe.expect.cpu_percent)):
        if bound is not None and name not in used:
            return Seen("unknown", value, "there was no earlier look at this process to compare with")
        if bound is not None and (seen := Seen.by(bound, used[name], name)).outcome == "failed":
            return Seen("failed", value, seen.detail)
    return Seen("ok", value)


async def _usage(target: ProcessTarget, scene: Scene) -> Usage | None:
    if target.container is None:
        return await apart(lambda: usage_of(lambda: _pid(target, scene), scene))
    found = await first_process(target.container)
    return None if found is None else await apart(lambda: usage_of(lambda: _contained(*found), scene))


def usage_of(find: Callable[[], int | None], scene: Scene) -> Usage | None:
    """Of a process and all its descendants; None when it does not exist. Raises CannotLook, as ``find`` may."""
    if not (PROC / "self" / "stat").exists():
        raise CannotLook("cannot run on this system: it needs /proc, which Linux has")
    root = find()
    stats = {pid: stat for pid in _pids() if (stat := _stat(pid)) is not None}
    if root is None or root not in stats:
        return None
    family = _family(root, stats) - scene.leashes
    if not family:  # the leash is still there, and has nobody on it
        return None
    page, tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    memory = sum(stats[pid].pages for pid in family) * page
    return Usage(time.monotonic(), memory, sum(stats[pid].ticks for pid in family) / tick)


@dataclass(frozen=True, slots=True)
class _Stat:
    parent: int
    ticks: int
    pages: int


def _stat(pid: int) -> _Stat | None:
    """None: it has ended, also when nobody has taken notice yet (a zombie)."""
    try:
        fields = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in ("Z", "X"):
        return None
    return _Stat(int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[21]))


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir(PROC) if entry.isdigit()]  # noqa: PTH208 - names only


def _family(root: int, stats: dict[int, _Stat]) -> set[int]:
    family, before = {root}, 0
    while len(family) > before:
        before = len(family)
        family |= {pid for pid, stat in stats.items() if stat.parent in family}
    return family


def _pid(target: ProcessTarget, scene: Scene) -> int | None:
    if target.system is not None:
        return scene.pids.get(target.system)
    return target.pid if target.port is None else _listening_at(target.port)


def _contained(pid: int, container_id: str) -> int:
    """The same number, if it is that container's here, too: its engine may be on another machine. Raises CannotLook."""
    try:
        groups = (PROC / str(pid) / "cgroup").read_text("utf-8", "replace")
    except OSError:
        groups = ""
    if container_id not in groups:
        raise CannotLook("the container's processes cannot be seen from here")
    return pid


def _listening_at(port: int) -> int | None:
    """The process that listens at a port; of several, the one that was there first. Raises CannotLook."""
    sockets = {f"socket:[{inode}]" for name in ("tcp", "tcp6") for inode in _inodes(PROC / "net" / name, port)}
    if not sockets:
        return None
    for pid in sorted(_pids()):
        try:
            if any(os.readlink(fd) in sockets for fd in (PROC / str(pid) / "fd").iterdir()):  # noqa: PTH115 - no path
                return pid
        except OSError:
            continue
    raise CannotLook(f"who listens at port {port} belongs to another user")


def _inodes(table: Path, port: int) -> list[str]:
    try:
        rows = table.read_text("ascii").splitlines()[1:]
    except OSError:
        return []
    fields = (row.split() for row in rows)
    return [each[9] for each in fields if each[3] == _LISTENING and int(each[1].rpartition(":")[2], 16) == port]
