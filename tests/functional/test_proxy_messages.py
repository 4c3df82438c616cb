"""WebSocket faults with real sockets and a real client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

import aiohttp
from aiohttp import WSMsgType, web

from chaosproxy.events import Exchange, Frame, Incoming, Outgoing
from chaosproxy.faults.base import Room, Stage
from chaosproxy.faults.stages import passing
from chaosproxy.faults.websocket.messages import MessageFault
from chaosproxy.journal.records import Trouble
from chaosproxy.journal.traffic import FaultHit
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import Journal

LARGE = bytes(range(256)) * 2048


@dataclass
class Talk:
    """A server that sends five messages, answers what it is sent, and notes how it was closed."""

    url: str = ""
    journal: Journal = field(default_factory=Journal)
    close_codes: list[int | None] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    proxy: Proxy | None = None

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for number in range(1, 6):
            await socket.send_str(f"m{number}")
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_bytes(LARGE if message.data == "large" else message.data.encode())
        self.close_codes.append(socket.close_code)
        self.closed.set()
        return socket

    def apply(self, *faults: dict[str, object], lease_s: float = 60) -> None:
        """These faults, and no others."""
        assert self.proxy is not None
        rules = [Rule.model_validate({"id": fault["type"], "listeners": ["a"], "do": fault}) for fault in faults]
        self.proxy.apply(rules, owner="test", lease_s=lease_s, seed=1)


@asynccontextmanager
async def talking(*faults: dict[str, object], limits: Limits | None = None) -> AsyncIterator[Talk]:
    """The server behind a proxy with faults."""
    talk = Talk()
    app = web.Application()
    app.router.add_get("/ws", talk.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    spec = ListenerSpec("a", ":0", f"http://127.0.0.1:{runner.addresses[0][1]}")
    async with Proxy([spec], record=talk.journal.add, limits=limits or Limits(stop_s=0.2)) as proxy:
        talk.proxy = proxy
        talk.apply(*faults)
        talk.url = f"{proxy.urls['a']}/ws"
        async with asyncio.timeout(10):
            yield talk
    await runner.cleanup()


async def texts(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[str]:
    """The next messages."""
    return [await socket.receive_str() for _ in range(count)]


async def test_a_websocket_is_closed_after_a_message() -> None:
    """Cleanly: the client sees the code and its answer reaches the upstream. The journal tells what passed."""
    async with talking({"type": "ws.close", "where": "message:2", "code": 1012}) as talk:
        async with aiohttp.ClientSession() as session, session.ws_connect(talk.url) as socket:
            assert await texts(socket, 2) == ["m1", "m2"]
            assert (await socket.receive()).type is WSMsgType.CLOSE
            assert socket.close_code == 1012
        await talk.closed.wait()
        record = await talk.journal.exchange()

    assert talk.close_codes == [1000]  # aiohttp's answer, not 1006
    assert (record.sent.status, record.sent.ended, record.sent.bytes) == (101, "end", 12)
    assert record.received.bytes > record.sent.bytes
    assert [hit.detail for hit in talk.journal.records if isinstance(hit, FaultHit)] == [
        "closed with code 1012 after message 2"
    ]


async def test_a_client_that_ignores_the_close_is_left_after_a_while() -> None:
    """The upstream does not wait for ever."""
    async with (
        talking({"type": "ws.close"}, limits=Limits(stop_s=0.2, drain_s=0.2)) as talk,
        aiohttp.ClientSession() as session,
        session.ws_connect(talk.url, autoclose=False, autoping=False) as socket,
    ):
        assert await texts(socket, 1) == ["m1"]
        record = await talk.journal.exchange()

    assert record.sent.ended == "end"


async def test_an_upstream_that_goes_on_after_the_close_is_left() -> None:
    """It is read for a while, and no further than the limit."""
    async with (
        talking({"type": "ws.close"}, limits=Limits(stop_s=0.2, drain_bytes=1000)) as talk,
        aiohttp.ClientSession() as session,
        session.ws_connect(talk.url, autoclose=False) as socket,
    ):
        assert await texts(socket, 1) == ["m1"]
        await socket.send_str("large")
        record = await talk.journal.exchange()

    assert record.received.bytes > 1000
    assert record.sent.bytes == 4 + 4


async def test_messages_are_dropped() -> None:
    """Those that follow are whole, large ones too; compression is not offered to the upstream."""
    async with (
        talking({"type": "ws.drop", "each": 2}) as talk,
        aiohttp.ClientSession() as session,
        session.ws_connect(talk.url, compress=15, max_msg_size=0) as socket,
    ):
        assert await texts(socket, 3) == ["m1", "m3", "m5"]
        assert not socket.compress
        for word in ("lost", "large", "lost", "kept"):
            await socket.send_str(word)
        assert await socket.receive_bytes() == LARGE
        assert await socket.receive_bytes() == b"kept"


async def test_messages_are_late_until_the_lease_ends() -> None:
    """What waits then comes at once, and all that follows is on time."""
    async with talking({"type": "ws.delay", "mean": "200ms"}) as talk:
        began_s = time.monotonic()
        async with aiohttp.ClientSession() as session, session.ws_connect(talk.url) as socket:
            assert await texts(socket, 5) == ["m1", "m2", "m3", "m4", "m5"]
            assert 0.2 <= time.monotonic() - began_s < 2
            talk.apply({"type": "ws.delay", "mean": "1h"})
            async with session.ws_connect(talk.url) as other:
                await asyncio.sleep(0.1)
                talk.apply()
                assert await texts(other, 5) == ["m1", "m2", "m3", "m4", "m5"]
                await other.send_str("x")
                assert await other.receive_bytes() == b"x"
            await socket.send_str("y")
            assert await socket.receive_bytes() == b"y"


async def test_a_slow_client_slows_the_upstream() -> None:
    """All arrives in the end."""
    async with (
        talking({"type": "ws.delay", "mean": "1ms"}) as talk,
        aiohttp.ClientSession() as session,
        session.ws_connect(talk.url, max_msg_size=0) as socket,
    ):
        await texts(socket, 5)
        for _ in range(20):
            await socket.send_str("large")
        await asyncio.sleep(0.1)
        for _ in range(20):
            assert await socket.receive_bytes() == LARGE


async def test_other_faults_have_nothing_to_do_on_a_websocket() -> None:
    """They say so, whether or not a fault on messages is at work."""
    async with talking({"type": "stream.truncate", "where": "byte:3"}, {"type": "ws.close"}) as talk:
        async with aiohttp.ClientSession() as session, session.ws_connect(talk.url) as socket:
            assert await texts(socket, 1) == ["m1"]
            await socket.receive()
        record = await talk.journal.exchange()

    assert [(miss.fault, miss.reason) for miss in record.misses] == [("stream.truncate", "the connection was upgraded")]


async def test_a_client_that_leaves_takes_what_waits_along() -> None:
    """The fault never acted."""
    async with talking({"type": "ws.close", "where": "message:9"}) as talk, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(talk.url)
        await texts(socket, 5)
        socket._response.close()
        record = await talk.journal.exchange()

    assert [miss.reason for miss in record.misses] == ["the exchange ended before it could act"]


class _Broken(MessageFault):
    """Has a bug."""

    type: ClassVar[str] = "test.broken"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = "a bug"

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One that raises."""
        return _BrokenStage()


class _BrokenStage:
    """Passes all but frames."""

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if isinstance(event, Frame):
            raise ZeroDivisionError
        return passing(event)


async def test_a_bug_in_a_fault_ends_its_connection_only() -> None:
    """Both sides are closed, and the next connection is as good as any."""
    async with talking() as talk, aiohttp.ClientSession() as session:
        assert talk.proxy is not None
        broken = Rule.model_validate({"id": "broken", "listeners": ["a"], "do": _Broken()})
        talk.proxy.apply([broken], owner="test", lease_s=60, seed=1)
        async with session.ws_connect(talk.url) as socket:
            assert (await socket.receive()).type is WSMsgType.CLOSED
        await talk.closed.wait()
        talk.apply()
        async with session.ws_connect(talk.url) as socket:
            assert await texts(socket, 1) == ["m1"]
        record = await talk.journal.exchange()

    assert record.sent.ended == "end"
    assert any(isinstance(trouble, Trouble) for trouble in talk.journal.records)
