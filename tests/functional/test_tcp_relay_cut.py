"""A relay that is cut while it dials its upstream is over for good, whatever the event loop tells about it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

from chaosproxy.events import Cut
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.tcp.relay import Relay, Side
from chaosproxy.proxy.timers import Timers

Dial = Callable[[Callable[[], Side]], Awaitable[object]]


class Port:
    """An owner that waits for the end of its only relay."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def relay_opened(self, relay: Relay) -> None:
        """Nothing is placed."""

    def relay_hit(self, relay: Relay, toxic: str, words: str) -> None:
        """Nothing is placed."""

    def relay_closed(self, relay: Relay) -> None:
        self.closed.set()


class Mute(asyncio.Transport):
    """As uvloop's, of a connection that was given up at the moment at which it came: it tells its protocol nothing."""

    aborted = False

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        """Without a word."""

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It has no buffer."""


async def cut_while_it_dials(dial: Dial, dials: asyncio.Event) -> None:
    """Connect a client, cut its relay when it ``dials``, and wait for its end."""
    port, clock = Port(), time.monotonic
    relay = Relay(port, 1, Limits(), clock=clock, timers=Timers(clock), dial=dial)
    ours, theirs = socket.socketpair()
    with closing(theirs):
        await asyncio.get_running_loop().connect_accepted_socket(lambda: relay.client, ours)
        await asyncio.wait_for(dials.wait(), 20)
        relay.cut(Cut.FIN)
        await asyncio.wait_for(port.closed.wait(), 20)


async def test_cut_before_it_began_to_dial() -> None:
    """Its task is cancelled before it has run a line."""
    dialled: list[object] = []

    async def dial(new_side: Callable[[], Side]) -> object:
        dialled.append(new_side)
        return None

    port, clock = Port(), time.monotonic
    relay = Relay(port, 1, Limits(), clock=clock, timers=Timers(clock), dial=dial)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    with closing(theirs):
        _, writer = await asyncio.open_connection(sock=ours)
        relay.client.connection_made(writer.transport)
        relay.cut(Cut.FIN)
        loop.call_soon(relay.client.connection_lost, None)
        await asyncio.wait_for(port.closed.wait(), 20)
        await writer.wait_closed()

    assert dialled == []


async def test_cut_before_its_upstream_came() -> None:
    """Nobody will ever tell the side that waits for it."""
    dials = asyncio.Event()

    async def dial(new_side: Callable[[], Side]) -> object:
        new_side()
        dials.set()
        await asyncio.Event().wait()
        return None

    await cut_while_it_dials(dial, dials)


async def test_cut_at_the_moment_at_which_its_upstream_came() -> None:
    """The connection is there, and its loop closes it without telling anybody."""
    dials, upstream = asyncio.Event(), Mute()

    async def dial(new_side: Callable[[], Side]) -> object:
        new_side().connection_made(upstream)
        dials.set()
        await asyncio.Event().wait()
        return None

    await cut_while_it_dials(dial, dials)

    assert upstream.aborted
