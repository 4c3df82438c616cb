"""A proxy with its control API, in the loop of a test."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from chaosproxy.control.api import ControlApi
from chaosproxy.control.desk import Clocks, Desk
from chaosproxy.control.events import EventLog
from chaosproxy.control.guard import RATES, Rates
from chaosproxy.dice import Dice
from chaosproxy.journal.records import Opened
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import answers, plain, upstream

OPENED = Opened(process="proxy", host="h", pid=1, mono=5.0, wall=9.0, chaosproxy="0")


def rule(fault_id: str = "f", listener: str = "a", **more: object) -> Rule:
    """A fault that breaks nothing by itself."""
    return Rule.model_validate({"id": fault_id, "listeners": [listener], "do": {"type": "time.stall"}, **more})


@dataclass
class Plane:
    """A proxy with its control API; it has the listeners a and b."""

    desk: Desk
    proxy: Proxy
    events: EventLog
    url: str


@asynccontextmanager
async def plane(
    token: str | None = None, *, rates: Rates = RATES, dice: Dice | None = None, names: tuple[str, ...] = ("a", "b")
) -> AsyncIterator[Plane]:
    """In front of an upstream that answers ``{}``; ``dice`` allow header faults."""
    events = EventLog(OPENED)
    async with upstream(answers(plain(b"{}"))) as server_side:
        roles = dict(zip(names, ("primary",), strict=False))
        specs = [ListenerSpec(name, ":0", server_side.url, role=roles.get(name)) for name in names]
        proxy = Proxy(specs, record=events.add, header_dice=dice)
        desk = Desk(proxy, events, Clocks(time.monotonic, lambda: 7.0))
        async with ControlApi(desk, time.monotonic, listen=":0", token=token, rates=rates) as api, proxy:
            yield Plane(desk, proxy, events, api.url)


@contextmanager
def plane_beside(
    token: str | None = None, *, rates: Rates = RATES, names: tuple[str, ...] = ("a", "b")
) -> Iterator[str]:
    """The same in a thread of its own, for clients that block: its URL."""
    ready: list[str] = []
    up, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with plane(token, rates=rates, names=names) as served:
            ready.append(served.url)
            up.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert up.wait(20)
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
