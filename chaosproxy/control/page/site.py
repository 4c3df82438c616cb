"""The live page over HTTP: the page itself, its files, and what it is told; on the control port only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from chaosproxy import __version__
from chaosproxy.control.experiments import ExperimentFolder
from chaosproxy.control.messages import Message
from chaosproxy.control.page.catalogue import catalogue
from chaosproxy.control.page.viewing import Viewer
from chaosproxy.control.routes import EVENT_STREAM, JSON
from chaosproxy.errors import UserError

LOOK_EACH_S = 0.5
"""How often the page is told anew."""
COST_MAX = 0.01
"""What part of the proxy's time one page may take: with very many streams it is told less often."""
PAGES_MAX = 16
"""As many pages may watch."""
_FOLDER = Path(__file__).parent
_TYPES = {".js": "text/javascript", ".css": "text/css"}
_FILES = {path.name: path for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}
OPEN_PATHS: Final = frozenset({"/", *(f"/page/{name}" for name in _FILES)})
"""These hold nothing of this proxy, so they need no token."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Site:
    """The page of one proxy; ``needs_token`` lets it ask for one first."""

    def __init__(self, viewer: Viewer, folder: ExperimentFolder | None, *, needs_token: bool) -> None:
        self._viewer = viewer
        self._folder = folder
        self._watching = 0
        environment = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
        template = environment.get_template("live.html.jinja")
        self._page = template.render(version=__version__, needs_token=needs_token)

    def routes(self) -> Iterable[web.RouteDef]:
        """For the control API, which puts its guard before them."""
        yield web.get("/", self._show)
        for name in _FILES:
            yield web.get(f"/page/{name}", self._file)
        yield web.get("/page/views", self._views)
        yield web.get("/page/catalogue", self._catalogue)
        if self._folder is not None:
            yield web.post("/page/experiments/{name}", self._start)
            yield web.delete("/page/experiments", self._stop)

    async def _show(self, _: web.Request) -> web.Response:
        return web.Response(text=self._page, content_type="text/html", headers=_HEADERS)

    async def _file(self, request: web.Request) -> web.Response:
        path = _FILES[request.path.rpartition("/")[2]]
        text = path.read_text("utf-8")
        return web.Response(text=text, content_type=_TYPES[path.suffix], charset="utf-8", headers=_HEADERS)

    async def _catalogue(self, _: web.Request) -> web.Response:
        return _json(catalogue())

    async def _views(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events, each a whole view."""
        if self._watching >= PAGES_MAX:
            raise web.HTTPServiceUnavailable(reason=f"{PAGES_MAX} pages watch this proxy already")
        response = web.StreamResponse(headers={"Content-Type": EVENT_STREAM, "Cache-Control": "no-store"})
        self._watching += 1
        try:
            await response.prepare(request)
            while not self._viewer.closed:
                began = time.perf_counter()
                event = f"data: {self._viewer.view().model_dump_json(by_alias=True)}\n\n".encode()
                took_s = time.perf_counter() - began
                await response.write(event)
                await asyncio.sleep(max(LOOK_EACH_S, took_s / COST_MAX))
            await response.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            pass  # the reader left, or we close
        finally:
            self._watching -= 1
        return response

    async def _start(self, request: web.Request) -> web.Response:
        await self._shelf.start(request.match_info["name"])
        return _json(self._shelf.state(), 201)

    async def _stop(self, _: web.Request) -> web.Response:
        self._shelf.stop()
        return _json(self._shelf.state())

    @property
    def _shelf(self) -> ExperimentFolder:
        if self._folder is None:
            raise UserError("this proxy was started without --experiments")
        return self._folder


def _json(message: Message, status: int = 200) -> web.Response:
    return web.Response(text=message.model_dump_json(), content_type=JSON, status=status)
