"""Looks whether a TCP connection is accepted."""

from __future__ import annotations

import asyncio
import socket
import time
from urllib.parse import urlsplit

from chaosproxy.experiment.probe import Seen
from chaosproxy.experiment.probe_kinds import TcpProbe
from chaosproxy.probes.http import refused
from chaosproxy.units import format_duration


async def look(probe: TcpProbe) -> Seen:
    """Connect, and close again."""
    host, port = address(probe.tcp)
    began = time.monotonic()
    try:
        _, writer = await asyncio.open_connection(host, port)
    except socket.gaierror:
        return Seen("unknown", None, "the host's name cannot be resolved")
    except OSError as error:
        return refused(error)
    took_s = time.monotonic() - began
    writer.close()
    within_s = probe.expect.within
    if within_s is not None and took_s > within_s:
        words = f"it took {format_duration(round(took_s, 3))}, expected within {format_duration(within_s)}"
        return Seen("failed", took_s, words)
    return Seen("ok", took_s)


def address(target: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT`` or of a URL."""
    url = urlsplit(target if "://" in target else f"tcp://{target}")
    return url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
