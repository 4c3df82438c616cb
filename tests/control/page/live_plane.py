"""A proxy with its control API and its live page, in the loop of a test."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from chaosproxy.control.api import ControlApi
from chaosproxy.control.desk import Clocks, Desk
from chaosproxy.control.events import EventLog
from chaosproxy.control.experiments import ExperimentFolder
from chaosproxy.control.figures import Figures
from chaosproxy.control.page.chronicle import Chronicle
from chaosproxy.control.page.messages import View
from chaosproxy.control.page.site import OPEN_PATHS, Site
from chaosproxy.control.page.viewing import Viewer
from chaosproxy.journal.entry import Entry
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.control.plane import OPENED
from tests.functional.wire_kit import Script, upstream


@dataclass
class LivePlane:
    """The listener ``a`` speaks HTTP, ``t`` passes bytes; both stand before the same upstream."""

    url: str
    desk: Desk
    proxy: Proxy
    viewer: Viewer
    http: aiohttp.ClientSession

    async def view(self) -> View:
        """The first view that the page would be told, as it stands on the wire."""
        async with self.http.get(f"{self.url}/page/views") as answer:
            line = await answer.content.readline()
        return View.model_validate(json.loads(line.removeprefix(b"data: ")))


@asynccontextmanager
async def live_plane(
    script: Script, *, token: str | None = None, folder: ExperimentFolder | None = None
) -> AsyncIterator[LivePlane]:
    """In front of an upstream that plays ``script``."""
    events, figures, chronicle = EventLog(OPENED), Figures(time.monotonic), Chronicle()

    def record(entry: Entry) -> None:
        for add in (events.add, figures.add, chronicle.add):
            add(entry)

    async with upstream(script) as server_side, aiohttp.ClientSession() as http:
        tcp = server_side.url.replace("http://", "tcp://")
        specs = [ListenerSpec("a", ":0", server_side.url), ListenerSpec("t", ":0", tcp)]
        proxy = Proxy(specs, record=record)
        desk = Desk(proxy, events, Clocks(time.monotonic, lambda: 7.0))
        viewer = Viewer(desk, proxy, figures, chronicle, folder)
        site = Site(viewer, folder, needs_token=token is not None)
        options: dict[str, Any] = {"token": token, "more_routes": site.routes(), "open_paths": OPEN_PATHS}
        async with ControlApi(desk, time.monotonic, listen=":0", **options) as api, proxy:
            yield LivePlane(api.url, desk, proxy, viewer, http)
