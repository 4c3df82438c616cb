"""Probes: each upstream is asked for a page again and again, whether or not there are live requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import structlog
from multidict import CIMultiDict

from chaosproxy.errors import UpstreamFailed
from chaosproxy.experiment.lab_settings import GatewaySettings
from chaosproxy.lab.gateway.exchange import asked, read_whole
from chaosproxy.lab.gateway.upstream import Upstream

log = structlog.get_logger(__name__)


@asynccontextmanager
async def probing(
    session: aiohttp.ClientSession, upstreams: Sequence[Upstream], settings: GatewaySettings
) -> AsyncIterator[None]:
    """Probe while this is entered, if the settings say so."""
    if settings.probe_each is None:
        yield
        return
    tasks = [asyncio.create_task(_watch(session, each, settings, settings.probe_each)) for each in upstreams]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(session: aiohttp.ClientSession, upstream: Upstream, settings: GatewaySettings, each_s: float) -> None:
    url = upstream.url.rstrip("/") + settings.probe_path
    clock = asyncio.get_running_loop().time
    due = clock()
    while True:
        good = await _is_good(session, url, within_s=settings.probe_timeout)
        if upstream.readiness.told(good=good):
            log.warning("upstream_probed", upstream=upstream.name, ready=upstream.readiness.ready)
        due = max(due + each_s, clock())
        await asyncio.sleep(due - clock())


async def _is_good(session: aiohttp.ClientSession, url: str, *, within_s: float) -> bool:
    due = asyncio.get_running_loop().time() + within_s
    try:
        async with asked(session, "GET", url, CIMultiDict(), b"", due=due) as response:
            await read_whole(response, due=due)
            return response.status < 400
    except UpstreamFailed:
        return False
