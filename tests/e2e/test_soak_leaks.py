"""100,000 short streams leave nothing behind: no memory, no task, no file descriptor."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from benchmarks.processes import build
from tests.e2e.soak import LINUX, READY_S, untraced

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not LINUX, reason="llmbench needs Linux (epoll)"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="llmbench needs a C compiler"),
]

PROBE = Path(__file__).with_name("leak_probe.py")
FIRST, ALL = 20_000, 100_000
EVENTS = 3
CLIENTS = (32, 200)
"""How many at once, in turn: connections come and go."""
SLICE_S = 4
RSS_GROWTH_MAX = 8_000_000
OBJECTS_GROWTH_MAX = 1000


@asynccontextmanager
async def started(*words: object) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """A program and its first line."""
    process = await asyncio.create_subprocess_exec(*map(str, words), stdin=PIPE, stdout=PIPE, env=untraced())
    try:
        yield process, await line(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """The next line that it prints."""
    assert process.stdout is not None
    said: dict[str, Any] = json.loads(await asyncio.wait_for(process.stdout.readline(), READY_S))
    return said


class Probed:
    """The proxy that counts itself, and streams through it."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, llmbench: Path) -> None:
        self._process = process
        self._port = port
        self._llmbench = llmbench
        self.streams = 0

    async def carry(self, streams: int) -> None:
        """Let clients ask until so many streams were whole; those under way at the end of a slice are broken off."""
        turn = 0
        while self.streams < streams:
            clients = CLIENTS[turn % len(CLIENTS)]
            words = (f"streams={clients}", f"seconds={SLICE_S}", f"events={EVENTS}", "interval_us=0")
            async with started(self._llmbench, "load", "127.0.0.1", self._port, *words) as (load, _):
                seen = await line(load)
            assert seen["answers"] > 0
            self.streams += seen["answers"]
            turn += 1

    async def figures(self) -> dict[str, Any]:
        """What it has now."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"?\n")
        return await line(self._process)

    async def at_rest(self, files: int) -> dict[str, Any]:
        """Its figures when every descriptor of the streams is closed; as they are when that takes too long."""
        for _ in range(100):
            figures = await self.figures()
            if figures["files"] <= files and not figures["open_exchanges"]:
                break
            await asyncio.sleep(0.1)
        return figures


async def test_100_000_short_streams_leave_nothing_behind(tmp_path: Path) -> None:
    """After the first 20,000 neither memory nor objects grow; descriptors and tasks are what they were at the start."""
    llmbench = await asyncio.to_thread(build, tmp_path)
    async with (
        started(llmbench, "serve", 0) as (_, backend),
        started(sys.executable, PROBE, f"http://127.0.0.1:{backend['port']}") as (process, ready),
    ):
        proxy = Probed(process, int(ready["url"].rpartition(":")[2]), llmbench)
        at_start = await proxy.figures()
        await proxy.carry(FIRST)
        early = await proxy.at_rest(at_start["files"])
        await proxy.carry(ALL)
        late = await proxy.at_rest(at_start["files"])

    for figures in (early, late):
        assert figures["files"] == at_start["files"]
        assert figures["tasks"] == at_start["tasks"]
        assert figures["open_exchanges"] == 0
    assert late["objects"] - early["objects"] < OBJECTS_GROWTH_MAX
    assert late["rss_bytes"] - early["rss_bytes"] < RSS_GROWTH_MAX
