"""Names under which we leave things on a server, so that everybody can tell whose they are, and until when.

``chaosproxy.RUN.UNTIL.NAME``: the run's token, the second since the epoch at which even the slowest run is over, and
what it is for. A run's token names its host, process and start, so that another run on the same host sees that it died.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_NAME = re.compile(r"chaosproxy\.(?P<run>[0-9a-f]{8}-\d+-\d+-[0-9a-f]+)\.(?P<until>\d+)\.(?P<of>.+)")


@dataclass(frozen=True, slots=True)
class Lease:
    """A run's claim on what it leaves on servers; ``until`` in seconds since the epoch."""

    run: str
    until: int

    def name(self, of: str) -> str:
        """The name of something of this run's."""
        return f"chaosproxy.{self.run}.{self.until}.{of}"


def new_lease(now: float, lasts_s: float) -> Lease:
    """For a run of this process."""
    pid = os.getpid()
    return Lease(f"{_host()}-{pid}-{_started(pid)}-{secrets.token_hex(3)}", int(now + lasts_s) + 1)


def lease_of(name: str) -> Lease | None:
    """The lease in a name; None for what is not ours."""
    match = _NAME.fullmatch(name)
    return None if match is None else Lease(match["run"], int(match["until"]))


def is_over(lease: Lease, now: float) -> str:
    """Why what it left may be removed: its time has passed, or its run has died on this host; else nothing."""
    if lease.until <= now:
        return "its time has passed"
    host, pid, started, _ = lease.run.split("-")
    if host == _host() and not _runs(int(pid), int(started)):
        return "its run is dead"
    return ""


def _host() -> str:
    """The host since it was started, and its space of process ids (a container has its own)."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii"))
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return sha256("\n".join(parts).encode()).hexdigest()[:8]


def _runs(pid: int, started: int) -> bool:
    """Whether the process lives; one that merely may be it counts as it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return started in (0, _started(pid))


def _started(pid: int) -> int:
    """When a process started, in the kernel's own count; 0 where that cannot be read."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[19])
    return 0
