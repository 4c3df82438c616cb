"""Our own health, and apart from it whether the upstreams can be reached."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from chaosproxy.control import reach
from chaosproxy.control.api import ControlApi
from chaosproxy.control.desk import Clocks, Desk
from chaosproxy.control.events import EventLog
from chaosproxy.control.reach import Upstreams
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.control.plane import OPENED, plane
from tests.e2e.drill import free_port


async def asked(url: str, path: str = "/-/health") -> tuple[int, dict[str, Any]]:
    """Status and answer."""
    async with aiohttp.ClientSession() as session, session.get(url + path) as answer:
        return answer.status, await answer.json()


@asynccontextmanager
async def accepting(port: int) -> AsyncIterator[list[str]]:
    """A server of nothing but connections: one entry for each that came."""
    came: list[str] = []

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append("connection")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", port)
    async with server:
        yield came


async def test_all_is_well() -> None:
    """Ready, an uptime that grows, and each upstream by its listener; it costs the upstreams no request."""
    async with plane() as here:
        status, first = await asked(here.url)
        _, second = await asked(here.url)

    assert (status, first["status"], first["ready"]) == (200, "ok", True)
    assert first["upstreams"] == {"a": "up", "b": "up"}
    assert 0 <= first["uptime_s"] < second["uptime_s"]
    assert here.events.newest.endswith("-0")


@pytest.mark.parametrize("scheme", ["http", "tcp"])
async def test_an_upstream_that_is_down_degrades_it(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so with 200, stays ready (a restart of ours would mend nothing), and is well again with the upstream."""
    monkeypatch.setattr(reach, "FRESH_S", 0.0)
    port, events = free_port(), EventLog(OPENED)
    proxy = Proxy([ListenerSpec("a", ":0", f"{scheme}://127.0.0.1:{port}")], record=events.add)
    desk = Desk(proxy, events, Clocks(time.monotonic, time.time))
    async with ControlApi(desk, time.monotonic, listen=":0") as api, proxy:
        down, ready = await asked(api.url), await asked(api.url, "/-/ready")
        async with accepting(port):
            up = await asked(api.url)

    told = [(status, said["status"], said["ready"], said["upstreams"]) for status, said in (down, up)]
    assert told == [(200, "degraded", True, {"a": "down"}), (200, "ok", True, {"a": "up"})]
    assert ready == (200, {"status": "ok"})


async def test_before_the_listeners_are_open_it_is_starting() -> None:
    """Whatever the upstreams do."""
    events = EventLog(OPENED)
    proxy = Proxy([ListenerSpec("a", ":0", f"http://127.0.0.1:{free_port()}")], record=events.add)
    desk = Desk(proxy, events, Clocks(time.monotonic, time.time))
    async with ControlApi(desk, time.monotonic, listen=":0") as api:
        status, said = await asked(api.url)

    assert (status, said["status"], said["ready"]) == (200, "starting", False)


async def test_who_asks_often_does_not_knock_often() -> None:
    """Ten questions at once, and another one soon after: one connection to the upstream that both listeners have."""
    port, now = free_port(), [10.0]
    specs = [ListenerSpec(name, ":0", f"http://127.0.0.1:{port}/v1") for name in ("a", "b")]
    async with accepting(port) as came:
        upstreams = Upstreams(specs, lambda: now[0])
        answers = await asyncio.gather(*(upstreams.reach() for _ in range(10)))
        now[0] += reach.FRESH_S / 2
        answers.append(await upstreams.reach())
        assert (len(came), answers) == (1, [{"a": "up", "b": "up"}] * 11)

        now[0] += reach.FRESH_S
        await upstreams.reach()
        assert len(came) == 2
