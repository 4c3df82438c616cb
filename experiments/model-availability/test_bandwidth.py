"""E3: bandwidth limits from 64 KB/s to 10 MB/s within 10 %, fifty downloads at once, and memory that stays flat.

    pytest experiments/model-availability/test_bandwidth.py
    MEGABYTES=500 LASTS_S=10 pytest ...                                    the same for longer
    CONNECTIONS=4 pytest ...           fails: a limit is one per connection, and this client opens four for one file

A limit is one of each exchange. A measurement that comes out too low is taken again, twice as
long, and once more: it may be this machine.
"""

import asyncio
import os
import resource
import sys
from time import monotonic

import aiohttp
import pytest

CONNECTIONS = int(os.environ.get("CONNECTIONS", "1"))
LASTS_S = float(os.environ.get("LASTS_S", "2"))
MEGABYTES = int(os.environ.get("MEGABYTES", "100"))
TOLERANCE = 0.1
GROWTH_MAX_MB = 40


class Lateness:
    """How late this machine lets a loop run: the longest that a wait of 10 ms took beyond that."""

    async def __aenter__(self):
        self.longest_s = 0.0
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *exc_info):
        self._task.cancel()

    async def _watch(self):
        while True:
            began = monotonic()
            await asyncio.sleep(0.01)
            self.longest_s = max(self.longest_s, monotonic() - began - 0.01)


async def read(session, url, first, last):
    """Bytes of one part."""
    async with session.get(url, headers={"range": f"bytes={first}-{last}"}) as response:
        return sum([len(block) async for block in response.content.iter_any()])


async def download(session, url, size):
    """Bytes per second of one file, over as many connections as CONNECTIONS says."""
    began, step = monotonic(), size // CONNECTIONS
    parts = [(i * step, size - 1 if i == CONNECTIONS - 1 else (i + 1) * step - 1) for i in range(CONNECTIONS)]
    got = await asyncio.gather(*(read(session, url, first, last) for first, last in parts))
    assert sum(got) == size
    return size / (monotonic() - began)


async def rates(url, size, at_once):
    """Bytes per second of each of them, and the lateness of this machine meanwhile."""
    connector = aiohttp.TCPConnector(limit=0)
    async with Lateness() as late, aiohttp.ClientSession(connector=connector) as session:
        return await asyncio.gather(*(download(session, url, size) for _ in range(at_once))), late.longest_s


def assert_limited(server, bytes_per_second, at_once=1):
    """Each download runs at the limit."""
    chunk = min(16384, bytes_per_second // 32)
    for lasts_s in (LASTS_S, 2 * LASTS_S, 4 * LASTS_S):
        size = int(bytes_per_second * lasts_s)
        with server.fault("time.bandwidth", bytes_per_second=bytes_per_second, chunk_bytes=chunk):
            measured, late_s = asyncio.run(rates(f"{server.url}/files/{size}", size, at_once))
        if all(abs(rate / bytes_per_second - 1) <= TOLERANCE for rate in measured):
            return
        if max(measured) > bytes_per_second * (1 + TOLERANCE):
            break  # no machine is so slow that it is too fast
    else:
        if late_s > TOLERANCE * lasts_s / 4:
            pytest.exit(f"inconclusive: this machine was late by {late_s:.2f} s in a measurement of {lasts_s:g} s", 3)
    pytest.fail(f"a limit of {bytes_per_second} B/s let {min(measured):.0f} to {max(measured):.0f} B/s through")


def peak_mb():
    """The most memory that this process ever had; client, proxy and backend of a test are in it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def test_memory_stays_flat(chaos):
    """While a large file passes, and while a slow line lets little of a huge one through."""
    server = chaos.backend("hub")

    async def pass_through(size, seconds=None):
        passed, began = 0, monotonic()
        async with aiohttp.ClientSession() as session, session.get(f"{server.url}/files/{size}") as response:
            async for block in response.content.iter_any():
                passed += len(block)
                if seconds is not None and monotonic() - began > seconds:
                    break
        return passed

    asyncio.run(pass_through(10**6))
    before = peak_mb()
    assert asyncio.run(pass_through(MEGABYTES * 10**6)) == MEGABYTES * 10**6
    with server.fault("time.bandwidth", bytes_per_second=10 * 10**6, chunk_bytes=16384):
        asyncio.run(pass_through(5 * 10**8, seconds=1.0))
    assert peak_mb() - before <= GROWTH_MAX_MB


@pytest.mark.parametrize("bytes_per_second", [64_000, 1_000_000, 10_000_000])
def test_one_download(chaos, bytes_per_second):
    """Within 10 % of the limit."""
    assert_limited(chaos.backend("hub"), bytes_per_second)


def test_fifty_downloads_at_once(chaos):
    """Each of them within 10 % of its limit."""
    assert_limited(chaos.backend("hub"), 64_000, at_once=50)
