"""The lab's model-availability system: its five components, in both profiles."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import aiohttp
from aiohttp import web

from chaosproxy.experiment.availability_settings import AvailabilitySettings
from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.lab.availability import Availability
from chaosproxy.lab.availability.files import CHECKSUM, checksum, content
from chaosproxy.lab.backend import Backend

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
QUICK = {"look_every": 0.02, "backoff": 0.01, "deadline": 2.0}


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run an async test."""

    @wraps(test)
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 60))

    return run


class Flawed:
    """A store, registry, ledger and provider that does what its test says, in a server of its own."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.version = "1"
        self.cut_after: int | None = None
        self.ranges: list[str | None] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Whatever is asked."""
        if any(request.path.startswith(path) for path in self.broken):
            return web.Response(status=503)
        if request.path.startswith("/files/"):
            return await self._file(request)
        return web.json_response({"data": [{"id": "m"}]})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        version = request.query["version"]
        whole = b"".join(content("m", version, 0, 200_000))
        wanted = request.headers.get("range")
        self.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        headers = {CHECKSUM: hashlib.sha256(whole).hexdigest(), "Content-Length": str(len(whole) - start)}
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        response = web.StreamResponse(status=206 if wanted else 200, headers=headers)
        await response.prepare(request)
        cut, self.cut_after = self.cut_after, None
        await response.write(whole[start : start + (cut or len(whole))])
        if cut is not None:
            await self.hold.wait()
            if request.transport is not None:
                request.transport.close()
        return response


@asynccontextmanager
async def system(flawed: Flawed, **settings: Any) -> AsyncIterator[Callable[..., Coroutine[Any, Any, tuple[int, Any]]]]:
    """A client of a system whose store and registry is the flawed one: method, path -> status and JSON."""
    runner = web.ServerRunner(web.Server(flawed.answer))  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    where = {"store": url, "registry": url, "ledger": url, **settings.pop("where", {})}
    chosen = AvailabilitySettings(**{**QUICK, **where, "providers": {"flawed": url}, **settings})
    async with Availability(chosen) as available, aiohttp.ClientSession() as session:

        async def ask(method: str, path: str, **more: Any) -> tuple[int, Any]:
            async with session.request(method, available.url + path, **more) as response:
                return response.status, await response.json()

        yield ask
    await runner.cleanup()


async def until(ask: Callable[..., Coroutine[Any, Any, tuple[int, Any]]], path: str, key: str, value: Any) -> None:
    """Wait until a page says so."""
    while (await ask("GET", path))[1].get(key) != value:  # noqa: ASYNC110 - it is another server
        await asyncio.sleep(0.01)


@in_a_loop
async def test_a_cut_download_goes_on_where_it_was_cut() -> None:
    """With Range, and the file is whole."""
    flawed = Flawed()
    flawed.cut_after = 50_000
    async with system(flawed) as ask:
        status, told = await ask("POST", "/downloads/m?wait=true")

        assert (status, told["state"], told["bytes"]) == (200, "done", 200_000)
        assert flawed.ranges[0] is None
        assert flawed.ranges[1] is not None
        assert (await ask("GET", "/status/downloader"))[1]["partial_files"] == 0


@in_a_loop
async def test_an_update_that_is_cut_keeps_the_old_version_unless_naive() -> None:
    """The naive system has the new one's number, and half of its bytes."""
    for profile, version in (("resilient", "1"), ("naive", "2")):
        flawed = Flawed()
        async with system(flawed, profile=profile, retries=0) as ask:
            await ask("POST", "/downloads/m?wait=true")
            flawed.cut_after = 50_000
            status, _ = await ask("POST", "/downloads/m?wait=true&version=2")

            assert status == 502
            assert (await ask("GET", "/models/m"))[1]["version"] == version


@in_a_loop
async def test_pause_resume_and_cancel() -> None:
    """A paused download is gone on with; a cancelled one leaves nothing, unless the system is naive."""
    for profile, left in (("resilient", 0), ("naive", 1)):
        flawed = Flawed()
        async with system(flawed, profile=profile) as ask:
            flawed.cut_after = 50_000
            flawed.hold.clear()
            await ask("POST", "/downloads/m")
            await until(ask, "/downloads/m", "bytes", 50_000)
            assert (await ask("POST", "/downloads/m/pause"))[1]["state"] == "paused"
            flawed.cut_after = 10_000
            await ask("POST", "/downloads/m/resume")
            await until(ask, "/downloads/m", "attempts", 2)
            assert (await ask("POST", "/downloads/m/cancel"))[1]["state"] == "cancelled"

            assert (await ask("GET", "/status/downloader"))[1]["partial_files"] == left
            flawed.hold.set()


@in_a_loop
async def test_a_model_that_is_here_serves_when_no_provider_does() -> None:
    """It is called cached then, and never available; the naive system goes on to call it available."""
    flawed = Flawed()
    async with system(flawed) as ask:
        await ask("POST", "/downloads/m?wait=true")
        assert (await ask("GET", "/models/m"))[1]["status"] == "available"
        flawed.broken = {"/"}
        await until(ask, "/models/m", "status", "cached")
        status, told = await ask("POST", "/v1/chat/completions", json=QUESTION)

        assert status == 200
        assert told["choices"][0]["message"]["content"]
        counts = (await ask("GET", "/usage"))[1]
        assert (counts["total"], counts["by_source"]) == (1, {"local": 1})
    naive = Flawed()
    naive.broken = {"/health", "/v1/chat"}
    async with system(naive, profile="naive") as ask:
        assert (await ask("GET", "/models/m"))[1]["status"] == "available"
        assert (await ask("POST", "/v1/chat/completions", json=QUESTION))[0] == 503


@in_a_loop
async def test_the_next_provider_answers_and_the_ledger_hears_of_it() -> None:
    """Another such system is the ledger."""
    flawed = Flawed()
    flawed.broken = {"/v1/chat"}
    ledger = Availability(AvailabilitySettings())
    async with Backend(BackendSettings()) as backend, ledger, aiohttp.ClientSession() as session:
        providers = {"flawed": "http://127.0.0.1:1", "good": backend.url}
        async with system(flawed, providers=providers, where={"ledger": ledger.url}) as ask:
            assert (await ask("POST", "/v1/chat/completions", json=QUESTION))[0] == 200
            await until(ask, "/usage", "untold", 0)
            assert (await ask("GET", "/usage"))[1]["by_source"] == {"good": 1}
            assert (await ask("GET", "/status/fallback"))[1]["fallbacks"] == 1
        async with session.get(f"{ledger.url}/usage") as response:
            assert (await response.json())["reported"] == 1


@in_a_loop
async def test_what_one_component_loses_the_others_do_not() -> None:
    """A registry and a ledger that are down affect nobody; a naive system loses calls by them."""
    for profile, affected in (("resilient", []), ("naive", ["manager", "usage"])):
        flawed = Flawed()
        async with (
            Backend(BackendSettings()) as backend,
            system(flawed, profile=profile, providers={"good": backend.url}) as ask,
        ):
            flawed.broken = {"/v1/models", "/usage"}
            await ask("GET", "/models")
            await ask("POST", "/v1/chat/completions", json=QUESTION)

            assert (await ask("GET", "/status"))[1]["which"] == affected


@in_a_loop
async def test_files_have_ranges_lengths_and_checksums() -> None:
    """And a part that is not there is refused."""
    async with Availability(AvailabilitySettings(file_bytes=100_000)) as store, aiohttp.ClientSession() as session:
        async with session.get(f"{store.url}/files/m") as response:
            whole = await response.read()
            assert hashlib.sha256(whole).hexdigest() == response.headers[CHECKSUM] == checksum("m", "1", 100_000)
        for wanted, status, part in (
            ("bytes=70000-", 206, whole[70_000:]),
            ("bytes=10-19", 206, whole[10:20]),
            ("bytes=-5", 206, whole[-5:]),
            ("bytes=100000-", 416, b""),
        ):
            async with session.get(f"{store.url}/files/m", headers={"range": wanted}) as response:
                assert (response.status, await response.read()) == (status, part)
        async with session.get(f"{store.url}/files/..%2Fsecret") as response:
            assert response.status in (404, 405)
        async with session.get(f"{store.url}/files/m?bytes=x") as response:
            assert response.status == 400
