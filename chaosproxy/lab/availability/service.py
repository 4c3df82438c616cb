"""The five components as one server in the running loop.

POST /v1/chat/completions ...                a call, answered whole (fallback manager, usage counters)
GET  /models, /models/MODEL                  status and downloaded version (availability manager)
POST /downloads/MODEL[?version=2&wait=true]  GET the same; POST .../pause, .../resume, .../cancel (downloader)
GET  /health/providers                       who is healthy (health monitor)
GET  /usage                                  counts (usage counters)
GET  /status, /status/COMPONENT, /health     what each component says about itself
GET  /files/MODEL, /v1/models, POST /usage   for another such system, as its store, registry and ledger
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from chaosproxy.errors import PartFailed, UpstreamFailed
from chaosproxy.experiment.availability_settings import AvailabilitySettings
from chaosproxy.lab import part
from chaosproxy.lab.availability.asking import Asker
from chaosproxy.lab.availability.component import Component
from chaosproxy.lab.availability.downloader import Download, Downloader
from chaosproxy.lab.availability.fallback import Fallback
from chaosproxy.lab.availability.files import serve_file
from chaosproxy.lab.availability.manager import Manager
from chaosproxy.lab.availability.monitor import Monitor
from chaosproxy.lab.availability.usage import Usage
from chaosproxy.lab.gateway.call import travelling
from chaosproxy.lab.gateway.exchange import new_session
from chaosproxy.lab.reply import Refused
from chaosproxy.wire.dialects import detect

CONNECT_S = 1.0
MODEL = r"{model:[\w.:-]{1,100}}"
"""Names that are file names, too."""
BODY_LIMIT_BYTES = 16 * 1024 * 1024
COMPONENTS = ("downloader", "monitor", "manager", "fallback", "usage")


class Availability:
    """A server while it is entered; its files live in a folder that goes with it."""

    def __init__(self, settings: AvailabilitySettings, host: str = "127.0.0.1", port: int = 0) -> None:
        self.settings = settings
        self._host = host
        self._port = port
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._background: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return part.url_of(self._host, self._port)

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="chaosproxy-models-")
        self._session = new_session(CONNECT_S)
        self._compose(Asker(self._session, self.settings), Path(self._folder.name))
        app = web.Application(client_max_size=BODY_LIMIT_BYTES)
        self._add_routes(app.router)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self.__aexit__()
            reason = f"cannot listen on {self._host}:{self._port}: {error.strerror}"
            raise PartFailed(f"lab availability: {reason}") from error
        self._port = self._runner.addresses[0][1]
        self._background = [asyncio.create_task(each.run()) for each in (self._monitor, self._manager, self._usage)]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._downloader.close()
        if self._session is not None:
            await self._session.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _compose(self, asker: Asker, folder: Path) -> None:
        clock = asyncio.get_running_loop().time
        parts = {name: Component(name, clock) for name in COMPONENTS}
        self._downloader = Downloader(asker, self.settings.store, folder, parts["downloader"])
        self._monitor = Monitor(asker, self.settings.providers, parts["monitor"])
        self._manager = Manager(asker, self._monitor, self._downloader, parts["manager"])
        self._fallback = Fallback(asker, self._monitor, self._downloader, parts["fallback"])
        self._usage = Usage(asker, parts["usage"])
        self._components = parts

    def _add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/health", _well)
        router.add_get("/health/providers", self._health)
        router.add_get("/status", self._status)
        router.add_get("/status/{component}", self._status)
        router.add_get("/v1/models", self._listed)
        router.add_get("/models", self._models)
        router.add_get(f"/models/{MODEL}", self._models)
        router.add_post(f"/downloads/{MODEL}", self._start)
        router.add_get(f"/downloads/{MODEL}", self._look)
        router.add_post(f"/downloads/{MODEL}/{{act}}", self._act)
        router.add_get(f"/files/{MODEL}", self._file)
        router.add_get("/usage", self._counts)
        router.add_post("/usage", self._report)
        router.add_post("/{path:.*}", self._call)

    async def _health(self, _: web.Request) -> web.Response:
        try:
            return web.json_response({"providers": await self._monitor.told()})
        except UpstreamFailed as failure:
            return _failed(failure)

    async def _status(self, request: web.Request) -> web.Response:
        pages = {name: each.status() for name, each in self._components.items()}
        pages["downloader"] = self._downloader.status()
        pages["fallback"]["fallbacks"] = self._fallback.fallbacks
        if (wanted := request.match_info.get("component")) is None:
            affected = [name for name, page in pages.items() if page["state"] != "ok"]
            return web.json_response({"affected": len(affected), "which": affected, "components": pages})
        return web.json_response(pages[wanted]) if wanted in pages else _unknown(f"component {wanted}", pages)

    async def _listed(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": model} for model in self._manager.listed]})

    async def _models(self, request: web.Request) -> web.Response:
        try:
            models = await self._manager.all()
        except UpstreamFailed as failure:
            return _failed(failure)
        if (wanted := request.match_info.get("model")) is None:
            return web.json_response({"models": models})
        if wanted not in models:
            return _unknown(f"model {wanted}", models)
        return web.json_response({"status": models[wanted], "version": self._downloader.local.get(wanted)})

    async def _start(self, request: web.Request) -> web.Response:
        if self.settings.store is None:
            return web.json_response({"error": "there is no store to download from"}, status=501)
        download = self._downloader.start(request.match_info["model"], request.query)
        if request.query.get("wait") == "true" and download.task is not None:
            await asyncio.wait([download.task])
        return web.json_response(download.told(), status=502 if download.state == "failed" else 200)

    async def _look(self, request: web.Request) -> web.Response:
        download = self._download(request)
        return (
            _unknown("download", self._downloader.downloads) if download is None else web.json_response(download.told())
        )

    async def _act(self, request: web.Request) -> web.Response:
        download, act = self._download(request), request.match_info["act"]
        if download is None:
            return _unknown("download", self._downloader.downloads)
        match act:
            case "pause":
                await self._downloader.pause(download)
            case "resume":
                self._downloader.resume(download)
            case "cancel":
                await self._downloader.cancel(download)
            case _:
                return _unknown(act, ("pause", "resume", "cancel"))
        return web.json_response(download.told())

    def _download(self, request: web.Request) -> Download | None:
        return self._downloader.downloads.get(request.match_info["model"])

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return await serve_file(request, self.settings.file_bytes)

    async def _counts(self, _: web.Request) -> web.Response:
        return web.json_response(self._usage.told())

    async def _report(self, request: web.Request) -> web.Response:
        await request.read()
        self._usage.reported += 1
        return web.json_response({}, status=201)

    async def _call(self, request: web.Request) -> web.Response:
        body = await request.read()
        dialect = detect("POST", request.raw_path)
        facts = dialect.read_request(body, request.raw_path)
        if facts.stream or not facts.model:
            wrong = "this system answers whole; ask without stream" if facts.model else "model: a name is required"
            return web.json_response({"error": {"message": wrong, "type": "invalid_request_error"}}, status=400)
        headers = travelling(request.headers.items(), "host", "content-length", "accept-encoding", "expect")
        try:
            await self._usage.asked_for(facts.model)
            answer, source = await self._fallback.answer(dialect, facts.model, request.raw_path, body, headers)
        except UpstreamFailed as failure:
            return _failed(failure)
        except Refused as refused:
            return web.json_response({"error": {"message": str(refused)}}, status=refused.status)
        if answer.status < 300:
            await self._usage.answered(facts.model, source)
        return web.Response(
            status=answer.status, body=answer.body, content_type=answer.content_type, headers={"x-served-by": source}
        )


async def _well(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def _failed(failure: UpstreamFailed) -> web.Response:
    status = 504 if failure.kind == UpstreamFailed.TIMEOUT else 503
    return web.json_response({"error": {"message": str(failure), "type": "service_unavailable"}}, status=status)


def _unknown(what: str, known: Any) -> web.Response:
    return web.json_response({"error": f"unknown {what}; there are: {', '.join(known) or 'none'}"}, status=404)


async def run_availability(settings: AvailabilitySettings, listen: str = "127.0.0.1:0", *, leash: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, on a leash also until EOF of stdin; prints the ready line when it listens."""
    host, port = part.parse_listen(listen)
    await part.run_part(Availability(settings, host, port), leash=leash)


def main(argv: Sequence[str]) -> int:
    """``python -m chaosproxy.lab.availability --settings JSON --listen HOST:PORT [--leash]``; the exit code."""
    arguments = part.parse_arguments("chaosproxy.lab.availability", AvailabilitySettings, list(argv))
    return part.run_process(run_availability(arguments.settings, arguments.listen, leash=arguments.leash))
