"""The gateway's own probes, apart from live requests: what they take out, and what they must not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from chaosproxy.experiment.lab_settings import BackendSettings, GatewaySettings
from chaosproxy.lab.backend import Backend
from chaosproxy.lab.gateway import Gateway
from chaosproxy.wire.dialects import dialect
from tests.functional.gateway_client import ask, page

OPENAI = dialect("openai.chat")


class Pages:
    """A backend whose health page answers what a test says."""

    def __init__(self) -> None:
        self.status = 200
        self.probes = 0
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def serve(self, backend: Backend) -> AsyncIterator[str]:
        """In front of a backend: its URL."""
        async with backend, aiohttp.ClientSession() as session:

            async def health(_: web.Request) -> web.Response:
                self.probes += 1
                self._changed.set()
                return web.Response(status=self.status)

            async def forward(request: web.Request) -> web.Response:
                body, url = await request.read(), backend.url + request.path_qs
                async with session.post(url, data=body, headers={"content-type": "application/json"}) as got:
                    return web.Response(status=got.status, body=await got.read(), content_type=got.content_type)

            app = web.Application()
            app.router.add_get("/health", health)
            app.router.add_post("/{path:.*}", forward)
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            try:
                yield f"http://127.0.0.1:{runner.addresses[0][1]}"
            finally:
                await runner.cleanup()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait, probe by probe."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()


@asynccontextmanager
async def scene(*, probe_failures: int = 3) -> AsyncIterator[tuple[Gateway, Pages, Pages, Backend, Backend]]:
    """Two backends behind a gateway that probes them."""
    quick = BackendSettings(tokens=4, ttft=0.0, inter_token=0.0)
    first, second = Pages(), Pages()
    a, b = Backend(quick), Backend(quick)
    async with first.serve(a) as a_url, second.serve(b) as b_url:
        settings = GatewaySettings(
            upstreams={"a": a_url, "b": b_url}, probe_each=0.02, probe_failures=probe_failures, first_token=30.0
        )
        async with Gateway(settings) as gateway:
            yield gateway, first, second, a, b


async def _told(gateway: Gateway, name: str) -> dict[str, object]:
    told: dict[str, object] = (await page(gateway, "/health/streaming"))["upstreams"][name]
    return told


async def test_failed_probes_move_live_requests_and_one_success_brings_them_back() -> None:
    """Nobody was asked live meanwhile: the probes alone decide."""
    async with scene() as (gateway, first, _, a, b):
        assert (await ask(gateway, OPENAI)).whole
        assert (a.stats["requests"], b.stats["requests"]) == (1, 0)

        first.status = 503
        begun = first.probes
        await first.until(lambda: first.probes >= begun + 5)
        assert (await _told(gateway, "a"))["healthy"] is False
        assert (await ask(gateway, OPENAI)).whole
        assert (a.stats["requests"], b.stats["requests"]) == (1, 1)

        first.status = 200
        begun = first.probes
        await first.until(lambda: first.probes >= begun + 3)
        told = await _told(gateway, "a")
        assert (told["healthy"], told["failed_probes_in_row"]) == (True, 0)
        assert (await ask(gateway, OPENAI)).whole
        assert (a.stats["requests"], b.stats["requests"]) == (2, 1)


async def test_too_few_failed_probes_take_nobody_out() -> None:
    """A thousand in a row are asked for."""
    async with scene(probe_failures=1000) as (gateway, first, _, a, b):
        first.status = 500
        await first.until(lambda: first.probes >= 5)
        assert (await _told(gateway, "a"))["healthy"] is True
        assert (await ask(gateway, OPENAI)).whole
        assert (a.stats["requests"], b.stats["requests"]) == (1, 0)


async def test_when_all_probes_fail_live_requests_are_answered_all_the_same() -> None:
    """A broken page is no broken model."""
    async with scene() as (gateway, first, second, a, _):
        first.status = second.status = 500
        for pages in (first, second):
            begun = pages.probes
            await pages.until(lambda pages=pages, begun=begun: pages.probes >= begun + 5)  # type: ignore[misc]
        assert (await ask(gateway, OPENAI)).whole
        assert a.stats["requests"] == 1
