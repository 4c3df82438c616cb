"""Faults one by one, claims of runs, and the stop button, over the control API."""

from __future__ import annotations

import asyncio
import json
import time

import aiohttp
import pytest

from chaosproxy.control.api import ControlApi
from chaosproxy.control.client import ControlClient
from chaosproxy.control.desk import Clocks, Desk
from chaosproxy.control.events import EventLog
from chaosproxy.control.messages import Inject, Scope
from chaosproxy.control.routes import ROUTES
from chaosproxy.dice import Dice
from chaosproxy.errors import PartFailed
from chaosproxy.journal.reading import read_journal
from chaosproxy.journal.records import FaultEdge
from chaosproxy.proxy.proxy import Proxy
from tests.control.plane import OPENED, plane, rule
from tests.functional.wire_kit import ask, call

BREAKS = {"type": "http.status", "status": 503}


class TestFaults:
    """``/v1/faults``."""

    async def test_from_inject_to_heal(self) -> None:
        """It is active with its owner, lease and rule, counts whom it met, and is gone when it is healed."""
        async with plane() as here, ControlClient(here.url) as client:
            injected = await client.inject(Inject(rule=rule(do=BREAKS), lease=30.0, owner="me", seed=1))
            for _ in range(3):
                await call(here.proxy.urls["a"], ask())
            await call(here.proxy.urls["b"], ask())
            (seen,) = await client.faults()
            await client.heal("f")
            assert await client.faults() == ()

        assert (injected.owner, injected.hits) == ("me", 0)
        assert seen.hits == 3
        assert seen.rule == rule(do=BREAKS)
        assert seen.lease_until == pytest.approx(seen.since + 30)

    async def test_each_has_a_lease_of_its_own(self) -> None:
        """Renewing one does not prolong another of the same owner; one that nobody renews ends by itself."""
        async with plane() as here, ControlClient(here.url) as client:
            await client.inject(Inject(rule=rule("short"), lease=0.2))
            await client.inject(Inject(rule=rule("long"), lease=30.0))
            ended = None
            async with asyncio.timeout(10):
                async for record in client.events():
                    if isinstance(record, FaultEdge) and record.edge == "healed":
                        ended = record
                        break
            assert ended is not None
            assert (ended.fault, ended.why) == ("short", "lease")
            assert [fault.id for fault in await client.faults()] == ["long"]

    async def test_a_taken_id_and_an_unknown_one_are_refused(self) -> None:
        """Whoever it belongs to is named; what is not active cannot be healed."""
        async with plane() as here, ControlClient(here.url) as client:
            await client.apply("run", [rule()], lease_s=30, seed=1)
            with pytest.raises(PartFailed, match="fault 'f' is active already, it belongs to 'run'"):
                await client.inject(Inject(rule=rule(), lease=1.0))
            with pytest.raises(PartFailed, match="no fault 'g' is active; active: f"):
                await client.heal("g")

    async def test_the_lease_of_one_is_renewed(self) -> None:
        """The answer says until when."""
        async with plane() as here, ControlClient(here.url) as client:
            before = await client.inject(Inject(rule=rule(), lease=30.0))
            url = f"{here.url}/v1/faults/f/renew"
            async with aiohttp.ClientSession() as session, session.post(url, json={"lease": "60s"}) as answer:
                renewed = await answer.json()
        assert before.lease_until is not None
        assert renewed["lease_until"] > before.lease_until + 29


class TestClaims:
    """Two runs on one proxy never meet."""

    async def test_a_second_run_is_refused_where_the_first_is(self) -> None:
        """On another listener it may; the first one's lease and its end free the listener."""
        scope = Scope(listeners=("a",), faults=("f",))
        async with plane() as here, ControlClient(here.url) as client:
            await client.apply("one", [], lease_s=30, seed=1, scope=scope)
            with pytest.raises(PartFailed, match="listener 'a' is in use by 'one'"):
                await client.apply("two", [], lease_s=30, seed=1, scope=scope)
            with pytest.raises(PartFailed, match="listener 'a' is in use by 'one'"):
                await client.inject(Inject(rule=rule("g"), lease=30.0))
            with pytest.raises(PartFailed, match="a fault 'f' is planned by 'one'"):
                await client.inject(Inject(rule=rule("f", "b"), lease=30.0))
            await client.apply("three", [], lease_s=30, seed=1, scope=Scope(listeners=("b",), faults=("g",)))
            assert set((await client.status()).claims) == {"one", "three"}
            await client.clear("one")
            await client.apply("two", [rule()], lease_s=30, seed=1, scope=scope)
            assert await client.active("two") == ["f"]

    async def test_a_claim_that_nobody_renews_ends(self) -> None:
        """As a fault does."""
        scope = Scope(listeners=("a",))
        async with plane() as here, ControlClient(here.url) as client:
            await client.apply("one", [], lease_s=0.05, seed=1, scope=scope)
            await asyncio.sleep(0.1)  # a lease is a span of time
            await client.apply("two", [], lease_s=30, seed=1, scope=scope)
            assert set((await client.status()).claims) == {"two"}

    async def test_faults_of_others_stand_in_the_way(self) -> None:
        """A run on a listener that somebody else breaks would judge their fault."""
        async with plane() as here, ControlClient(here.url) as client:
            await client.inject(Inject(rule=rule(), lease=30.0))
            with pytest.raises(PartFailed, match="fault 'f' of 'hand' is active on a; heal it first: chaosproxy heal"):
                await client.apply("run", [], lease_s=30, seed=1, scope=Scope(listeners=("a",)))
            with pytest.raises(PartFailed, match="there is no listener 'z'; the listeners are a, b"):
                await client.apply("run", [], lease_s=30, seed=1, scope=Scope(listeners=("z",)))
            assert (await client.status()).claims == {}


class TestStop:
    """The lock."""

    async def test_a_lock_heals_all_and_refuses_all(self) -> None:
        """Faults, claims and header faults; unlocked, they may come again, and none does by itself."""
        asking = ask(headers="x-chaosproxy-fault: http.status status=503\r\n")
        async with plane(dice=Dice(1)) as here, ControlClient(here.url) as client:
            data = here.proxy.urls["a"]
            await client.apply("run", [rule()], lease_s=30, seed=1, scope=Scope(listeners=("a",)))
            assert await client.lock("game day is over") == "game day is over"
            assert ((await client.status()).active, (await client.status()).claims) == ((), {})
            for refused in (
                client.apply("run", [rule()], lease_s=30, seed=1),
                client.apply("run", [], lease_s=30, seed=1, scope=Scope(listeners=("b",))),
                client.inject(Inject(rule=rule(), lease=30.0)),
            ):
                with pytest.raises(PartFailed, match="nothing is injected here: game day is over"):
                    await refused
            assert (await call(data, asking)).status == 200
            assert await client.unlock() == ""
            assert await client.faults() == ()
            assert (await call(data, asking)).status == 503

    async def test_a_renewal_does_not_bring_anything_back(self) -> None:
        """A run that goes on renewing has nothing any more."""
        async with plane() as here, ControlClient(here.url) as client:
            await client.apply("run", [rule()], lease_s=30, seed=1)
            await client.lock("")
            await client.renew("run", lease_s=30)
            await client.unlock()
            assert await client.faults() == ()


async def test_the_journal_can_be_downloaded() -> None:
    """What is kept, as a journal that can be read again."""
    async with plane() as here, ControlClient(here.url) as client:
        await client.apply("me", [rule()], lease_s=30, seed=1)
        async with aiohttp.ClientSession() as session, session.get(f"{here.url}/v1/journal") as answer:
            assert answer.content_type == "application/x-ndjson"
            journal = read_journal((await answer.text()).splitlines())
    assert [record.type for record in journal.records] == ["opened", "fault"]


async def test_events_are_server_sent() -> None:
    """Each with an id and a record; ``Last-Event-ID`` goes on behind it."""
    async with plane() as here, ControlClient(here.url) as client, aiohttp.ClientSession() as session:
        await client.apply("me", [rule()], lease_s=30, seed=1)
        headers = {"Last-Event-ID": f"{here.events.instance}-0"}
        async with session.get(f"{here.url}/v1/events", headers=headers) as answer:
            lines = [await answer.content.readline() for _ in range(3)]
            assert answer.content_type == "text/event-stream"
    assert lines[0] == f"id: {here.events.instance}-1\n".encode()
    assert json.loads(lines[1].removeprefix(b"data: "))["fault"] == "f"
    assert lines[2] == b"\n"


async def test_ready_once_all_listeners_are_open() -> None:
    """Health says that the process answers, ready that clients can come."""
    async with plane() as here:
        events = EventLog(OPENED)
        desk = Desk(Proxy(here.proxy.listeners, record=events.add), events, Clocks(time.monotonic, time.time))
        async with ControlApi(desk, time.monotonic, listen=":0") as starting, aiohttp.ClientSession() as session:
            for url, status, word in ((here.url, 200, "ok"), (starting.url, 503, "starting")):
                async with session.get(f"{url}/-/ready") as answer:
                    assert (answer.status, await answer.json()) == (status, {"status": word})


async def test_the_data_port_never_serves_it() -> None:
    """Every path of the control API, asked of a listener, is the upstream's."""
    async with plane() as here, aiohttp.ClientSession() as session:
        for route in ROUTES:
            url = here.proxy.urls["a"] + route.path.replace("{", "").replace("}", "")
            async with session.request(route.method, url, json={"why": "x"}) as answer:
                assert (answer.status, await answer.read()) == (200, b"{}"), route.path
        assert here.desk.halted == ""
