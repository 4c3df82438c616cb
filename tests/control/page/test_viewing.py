"""What the live page is told of a running proxy."""

from __future__ import annotations

import asyncio

import pytest

from chaosproxy.control.messages import Apply, Programme, Scope
from chaosproxy.control.page.messages import OpenStream
from chaosproxy.errors import UserError
from tests.control.page.live_plane import LivePlane, live_plane
from tests.control.plane import rule
from tests.functional.wire_kit import SSE_HEAD, Peer, Request, answers, ask, call, chunk, event, plain, stream

PROGRAMME = Programme(name="n", seed=1, origin=1.0, warmup_s=0.0, lasts_s=9.0, faults=())


async def test_rates_can_be_made_of_what_it_counts() -> None:
    """Requests that came, that were asked upstream, and that failed there or for the client."""
    async with live_plane(answers(plain(b"{}", "500 Oops"))) as here:
        for _ in range(3):
            await call(here.proxy.urls["a"], ask())
        here.desk.apply(
            "me", Apply.model_validate({"rules": [rule(do={"type": "http.status"})], "lease": 9, "seed": 1})
        )
        await call(here.proxy.urls["a"], ask())
        view = await here.view()

    seen = view.traffic["a"]
    assert (seen.opened, seen.asked, seen.failed, seen.upstream_failed) == (4, 3, 4, 3)
    assert [fault.hits for fault in view.status.active] == [1]
    assert not seen.is_tcp


async def test_a_listener_of_bytes_counts_connections() -> None:
    """And what they passed on, open ones included."""
    async with live_plane(answers(plain(b"{}"))) as here:
        await call(here.proxy.urls["t"].replace("tcp://", "http://"), ask())
        seen = (await here.view()).traffic["t"]

    assert seen.is_tcp
    assert (seen.opened, seen.asked, seen.failed) == (1, 1, 0)
    assert seen.bytes_up > 0
    assert seen.bytes_down > len(plain(b"{}")) - 1


async def test_an_open_stream_tells_its_last_gap_and_its_silence() -> None:
    """The gap between the newest two pieces, what passed, and how long nothing came since."""
    go_on, sent = asyncio.Event(), asyncio.Event()

    async def halting(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + chunk(event("one")))
        await asyncio.sleep(0.2)
        await peer.send(chunk(event("two")))
        sent.set()
        await go_on.wait()
        peer.reset()

    async with live_plane(halting) as here:
        asking = asyncio.ensure_future(call(here.proxy.urls["a"], ask()))
        await sent.wait()
        (seen,) = await _streams(here, tokens=2)
        go_on.set()
        await asking
        after = await here.view()

    assert seen.gap_s is not None
    assert seen.gap_s >= 0.19
    assert seen.age_s >= seen.silent_s + seen.gap_s - 0.001
    assert (seen.status, seen.stream, seen.what) == (200, True, "POST /v1/chat/completions m")
    assert after.streams == ()
    assert after.traffic["a"].asked == 1


async def test_a_stall_is_silence_at_the_clients_edge() -> None:
    """What the upstream still sends does not count: the client got nothing."""
    async with live_plane(answers(stream([event("one"), event("two"), event("three")]))) as here:
        stall = rule(do={"type": "time.stall", "where": "token:1"})
        here.desk.apply("me", Apply.model_validate({"rules": [stall], "lease": 30, "seed": 1}))
        asking = asyncio.ensure_future(call(here.proxy.urls["a"], ask()))
        (seen,) = await _streams(here, tokens=1)
        here.desk.clear()
        await asking

    assert seen.faults == ("f",)


async def test_a_run_tells_what_it_is_about_as_long_as_it_holds_its_claim() -> None:
    """One that holds none is refused."""
    async with live_plane(answers(plain(b"{}"))) as here:
        with pytest.raises(UserError, match="'run' holds no claim here"):
            here.desk.announce("run", PROGRAMME)
        here.desk.apply("run", Apply(rules=(), lease=9, seed=1, scope=Scope(listeners=("a",))))
        here.desk.announce("run", PROGRAMME)
        during = await here.view()
        here.desk.clear("run")
        after = await here.view()

    assert during.status.runs == {"run": PROGRAMME}
    assert after.status.runs == {}


async def _streams(here: LivePlane, tokens: int) -> list[OpenStream]:
    """The streams of a view in which so many tokens have passed."""
    async with asyncio.timeout(20):
        while True:
            streams = (await here.view()).streams
            if [each.tokens for each in streams] == [tokens]:
                return list(streams)
