"""The control API and its client: one protocol for every proxy, our own included."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from chaosproxy.control.api import Clocks, ControlApi
from chaosproxy.control.client import ControlClient
from chaosproxy.control.events import EventLog
from chaosproxy.control.messages import Apply
from chaosproxy.errors import PartFailed, UserError
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import AnyRecord, ExchangeRecord, FaultEdge, Lag, Opened, Trouble
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import answers, ask, call, plain, upstream

OPENED = Opened(process="proxy", host="h", pid=1, mono=5.0, wall=9.0, chaosproxy="0")


def _rule(fault_id: str = "f") -> Rule:
    return Rule.model_validate({"id": fault_id, "listeners": ["a"], "share": "50%", "do": {"type": "time.stall"}})


@dataclass
class Plane:
    """A proxy with its control API."""

    proxy: Proxy
    events: EventLog
    url: str


@asynccontextmanager
async def _plane(token: str | None = None) -> AsyncIterator[Plane]:
    events = EventLog(OPENED)
    async with upstream(answers(plain(b"{}"))) as server_side:
        proxy = Proxy([ListenerSpec("a", ":0", server_side.url, role="primary")], record=events.add)
        clocks = Clocks(time.monotonic, lambda: 7.0)
        async with ControlApi(proxy, events, clocks, listen=":0", token=token) as api, proxy:
            yield Plane(proxy, events, api.url)


async def test_apply_renew_and_clear() -> None:
    """The owner's faults are active as long as it says so, and the status shows them."""
    async with _plane() as plane, ControlClient(plane.url) as client:
        await client.apply("me", [_rule()], lease_s=30, seed=1)
        status = await client.status()
        assert await client.active("me") == ["f"]
        assert await client.active("you") == []
        await client.renew("me", lease_s=60)
        renewed = await client.status()
        await client.clear("you")
        await client.clear("me")
        assert await client.active("me") == []

    assert status.listeners["a"].role == "primary"
    assert status.wall == 7.0
    assert renewed.active[0].lease_until is not None
    assert status.active[0].lease_until is not None
    assert renewed.active[0].lease_until > status.active[0].lease_until + 29


async def test_rules_survive_the_journey() -> None:
    """What a proxy applies is what the runner had: units, globs and defaults included."""
    async with _plane() as plane, ControlClient(plane.url) as client:
        sent = Rule.model_validate(
            {
                "id": "f",
                "listeners": ["a"],
                "do": {"type": "time.stall", "where": "token:3", "hold": "1.5s"},
                "match": {"model": "gpt-*", "stream": True},
                "share": 0.25,
                "flap": {"down": "2s", "up": "250ms"},
                "lasts": "10s",
            }
        )
        await client.apply("run/1 ü", [sent], lease_s=0.5, seed=2**70)
        (active,) = plane.proxy.active

    assert active.rule == sent
    assert active.owner == "run/1 ü"
    assert active.seed == 2**70


async def test_everybodys_faults_can_be_cleared() -> None:
    """The stop button asks for no owner."""
    async with _plane() as plane, ControlClient(plane.url) as client:
        await client.apply("me", [_rule("f")], lease_s=30, seed=1)
        await client.apply("you", [_rule("g")], lease_s=30, seed=1)
        await client.clear()
        assert (await client.status()).active == ()


async def test_mistakes_are_said_in_words() -> None:
    """A foreign id, an unknown listener and an endless lease are refused, and nothing is changed."""
    async with _plane() as plane, ControlClient(plane.url) as client:
        await client.apply("me", [_rule()], lease_s=30, seed=1)
        with pytest.raises(PartFailed, match="fault 'f' belongs to 'me'"):
            await client.apply("you", [_rule()], lease_s=30, seed=1)
        elsewhere = _rule("g").model_copy(update={"listeners": ("z",)})
        with pytest.raises(PartFailed, match="aims at 'z'; the listeners are a"):
            await client.apply("me", [elsewhere], lease_s=30, seed=1)
        with pytest.raises(PartFailed, match="lease"):
            await client._say("PUT", "/v1/owners/me", Apply.model_construct(rules=(), lease=7200.0, seed=1))
        assert await client.active("me") == ["f"]


async def test_unknown_paths_and_methods_answer_in_json() -> None:
    """Errors have one shape."""
    async with _plane() as plane, aiohttp.ClientSession() as session:
        for path, status in (("/nothing", 404), ("/v1/owners", 405), ("/v1/events?after=x", 400)):
            async with session.get(plane.url + path) as answer:
                assert answer.status == status
                assert "error" in await answer.json()


async def test_a_token_guards_everything_but_health() -> None:
    """Without it, and with a wrong one, nothing can be seen or changed."""
    async with _plane(token="secret") as plane:
        for wrong in (None, "other", "sécret"):
            async with ControlClient(plane.url, wrong) as client:
                with pytest.raises(PartFailed, match="needs its token"):
                    await client.status()
        async with ControlClient(plane.url, "secret") as client:
            assert "a" in (await client.status()).listeners
        async with aiohttp.ClientSession() as session, session.get(f"{plane.url}/-/health") as answer:
            assert await answer.json() == {"status": "ok"}


async def test_beyond_this_machine_a_token_is_required() -> None:
    """An address that others can reach is refused without one."""
    proxy = Proxy([], record=EventLog(OPENED).add)
    with pytest.raises(UserError, match="needs a token"):
        ControlApi(proxy, EventLog(OPENED), Clocks(time.monotonic, time.time), listen="0.0.0.0:0")


async def test_events_are_the_journal() -> None:
    """A reader gets the opening first, then every record in order, and ends when the proxy does."""
    records: list[AnyRecord] = []
    async with _plane() as plane, ControlClient(plane.url) as client:

        async def read() -> None:
            records.extend([record async for record in client.events()])

        reading = asyncio.create_task(read())
        await client.apply("me", [_rule()], lease_s=30, seed=1)
        await call(plane.proxy.urls["a"], ask())
        await client.clear("me")
        await plane.proxy.stop()
        plane.events.close()
        async with asyncio.timeout(5):
            await reading

    kinds = [type(record) for record in records if not isinstance(record, Lag)]
    assert kinds == [Opened, FaultEdge, ExchangeRecord, FaultEdge]


async def test_a_reader_goes_on_where_it_was() -> None:
    """After a number only what is newer comes."""
    events = EventLog(OPENED)
    for number in range(3):
        events.add(Entry.of(Trouble(at=float(number), part="x", detail=str(number))))
    events.close()

    assert [json.loads(line)["n"] async for line in events.follow(1)] == [2, 3]


async def test_a_slow_reader_is_told_what_it_lost() -> None:
    """The log is bounded; a gap becomes a record."""
    events = EventLog(OPENED, size=2)
    for number in range(5):
        events.add(Entry.of(Trouble(at=float(number), part="x", detail=f"number {number}")))
    events.close()
    lines = [line.decode() async for line in events.follow(0)]

    assert "opened" in lines[0]
    assert "3 records were lost" in lines[1]
    assert ["number 3" in lines[2], "number 4" in lines[3], len(lines)] == [True, True, 4]


async def test_a_proxy_that_is_gone_is_said_in_words() -> None:
    """Commands and events name the address."""
    async with _plane() as plane:
        url = plane.url
    async with ControlClient(url) as client:
        with pytest.raises(PartFailed, match=f"the proxy at {url} cannot be reached"):
            await client.status()
        with pytest.raises(PartFailed, match="cannot be reached"):
            async for _ in client.events():
                pass
    with pytest.raises(PartFailed, match="closed"):
        await client.clear()


async def test_a_busy_control_port_is_said_in_words() -> None:
    """The message names the address."""
    async with _plane() as plane:
        address = plane.url.removeprefix("http://")
        api = ControlApi(plane.proxy, plane.events, Clocks(time.monotonic, time.time), listen=address)
        with pytest.raises(PartFailed, match=f"cannot listen on {address}: address already in use"):
            await api.__aenter__()
