"""Looks at the room on a file system."""

from __future__ import annotations

import shutil

from chaosproxy.experiment.probe import Seen
from chaosproxy.experiment.probe_kinds import DiskProbe
from chaosproxy.probes.apart import apart


async def look(probe: DiskProbe) -> Seen:
    """Ask the file system, which may hang where it is remote."""
    try:
        usage = await apart(lambda: shutil.disk_usage(probe.disk))
    except OSError as error:
        return Seen("unknown", None, (error.strerror or str(error)).lower())
    return judged(probe, usage.free, usage.total)


def judged(probe: DiskProbe, free_bytes: int, total_bytes: int) -> Seen:
    """Room, as what was seen."""
    free = {"free_mb": free_bytes / 1e6, "free_percent": 100 * free_bytes / total_bytes if total_bytes else 0.0}
    for name, bound in (("free_mb", probe.expect.free_mb), ("free_percent", probe.expect.free_percent)):
        if (seen := Seen.by(bound, free[name], name)).outcome == "failed":
            return Seen("failed", free[probe.value], seen.detail)
    return Seen("ok", free[probe.value])
