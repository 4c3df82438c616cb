"""The control API and its client: one protocol for every proxy, our own included."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from chaosproxy.control.api import ControlApi
from chaosproxy.control.client import ControlClient
from chaosproxy.control.desk import Clocks, Desk
from chaosproxy.control.events import EventLog
from chaosproxy.control.messages import Apply
from chaosproxy.errors import PartFailed, UserError
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import AnyRecord, FaultEdge, Opened, Trouble
from chaosproxy.journal.traffic import ExchangeRecord, Lag
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.proxy import Proxy
from tests.control.plane import OPENED, plane, rule
from tests.functional.wire_kit import ask, call


def _rule(fault_id: str = "f") -> Rule:
    return rule(fault_id, share="50%")


def _desk(proxy: Proxy) -> Desk:
    return Desk(proxy, EventLog(OPENED), Clocks(time.monotonic, time.time))


async def test_apply_renew_and_clear() -> None:
    """The owner's faults are active as long as it says so, and the status shows them."""
    async with plane() as here, ControlClient(here.url) as client:
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
    async with plane() as here, ControlClient(here.url) as client:
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
        await client.apply("run/1 ü", [sent], lease_s=0.5, seed=2**60)
        (active,) = here.proxy.active

    assert active.rule == sent
    assert active.owner == "run/1 ü"
    assert active.seed == 2**60


async def test_everybodys_faults_can_be_cleared() -> None:
    """The stop button asks for no owner."""
    async with plane() as here, ControlClient(here.url) as client:
        await client.apply("me", [_rule("f")], lease_s=30, seed=1)
        await client.apply("you", [_rule("g")], lease_s=30, seed=1)
        await client.clear()
        assert (await client.status()).active == ()


async def test_mistakes_are_said_in_words() -> None:
    """A foreign id, an unknown listener and an endless lease are refused, and nothing is changed."""
    async with plane() as here, ControlClient(here.url) as client:
        await client.apply("me", [_rule()], lease_s=30, seed=1)
        with pytest.raises(PartFailed, match="fault 'f' belongs to 'me'"):
            await client.apply("you", [_rule()], lease_s=30, seed=1)
        elsewhere = _rule("g").model_copy(update={"listeners": ("z",)})
        with pytest.raises(PartFailed, match="aims at 'z'; the listeners are a, b"):
            await client.apply("me", [elsewhere], lease_s=30, seed=1)
        with pytest.raises(PartFailed, match="lease"):
            await client._say("PUT", "/v1/owners/me", Apply.model_construct(rules=(), lease=7200.0, seed=1))
        assert await client.active("me") == ["f"]


async def test_unknown_paths_and_methods_answer_in_json() -> None:
    """Errors have one shape."""
    async with plane() as here, aiohttp.ClientSession() as session:
        for path, status in (("/nothing", 404), ("/v1/owners", 405), ("/v1/events?after=x", 400)):
            async with session.get(here.url + path) as answer:
                assert answer.status == status
                assert "error" in await answer.json()


async def test_a_token_guards_everything_but_health() -> None:
    """Without it, and with a wrong one, nothing can be seen or changed."""
    async with plane(token="secret") as here:
        for wrong, words in ((None, "needs its token"), ("other", "not the token"), ("sécret", "not the token")):
            async with ControlClient(here.url, wrong) as client:
                with pytest.raises(PartFailed, match=words):
                    await client.status()
        async with ControlClient(here.url, "secret") as client:
            assert "a" in (await client.status()).listeners
        async with aiohttp.ClientSession() as session, session.get(f"{here.url}/-/health") as answer:
            assert (await answer.json())["status"] == "ok"


async def test_beyond_this_machine_a_token_is_required() -> None:
    """An address that others can reach is refused without one."""
    proxy = Proxy([], record=EventLog(OPENED).add)
    with pytest.raises(UserError, match="needs a token"):
        ControlApi(_desk(proxy), time.monotonic, listen="0.0.0.0:0")
    with pytest.raises(UserError, match="a token of at least 16 characters"):
        ControlApi(_desk(proxy), time.monotonic, listen="0.0.0.0:0", token="secret")


async def test_events_are_the_journal() -> None:
    """A reader gets the opening first, then every record in order, and ends when the proxy does."""
    records: list[AnyRecord] = []
    async with plane() as here, ControlClient(here.url) as client:

        async def read() -> None:
            records.extend([record async for record in client.events()])

        reading = asyncio.create_task(read())
        await client.apply("me", [_rule()], lease_s=30, seed=1)
        await call(here.proxy.urls["a"], ask())
        await client.clear("me")
        await here.proxy.stop()
        here.events.close()
        async with asyncio.timeout(5):
            await reading

    kinds = [type(record) for record in records if not isinstance(record, Lag)]
    assert kinds == [Opened, FaultEdge, ExchangeRecord, FaultEdge]


async def test_requests_under_way_are_told_until_they_end() -> None:
    """A journal has no word of them before."""
    async with plane() as here, ControlClient(here.url) as client:
        assert await client.underway() == []
        await client.apply("me", [rule(do={"type": "conn.blackhole"})], lease_s=30, seed=1)
        asking = asyncio.create_task(call(here.proxy.urls["a"], ask()))
        async with asyncio.timeout(20):
            while not (underway := await client.underway()):  # noqa: ASYNC110 - it is asked over HTTP
                await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await client.clear("me")
        while await client.underway():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        left = await client.underway()

    (exchange,) = underway
    assert (exchange.listener, exchange.ordinal, left) == ("a", 1, [])
    assert exchange.began_at <= exchange.at


async def test_a_reader_goes_on_where_it_was() -> None:
    """After a number only what is newer comes."""
    events = EventLog(OPENED)
    for number in range(3):
        events.add(Entry.of(Trouble(at=float(number), part="x", detail=str(number))))
    events.close()

    told = [line.decode() async for line in events.follow(f"{events.instance}-1")]
    assert [line.partition("\n")[0] for line in told] == [f"id: {events.instance}-{number}" for number in (2, 3)]


async def test_a_reader_learns_that_the_proxy_was_started_anew() -> None:
    """An id of another start is a gap: it is said, and everything comes from the beginning."""
    events = EventLog(OPENED)
    events.add(Entry.of(Trouble(at=1.0, part="x", detail="new")))
    events.close()
    told = [line.decode() async for line in events.follow("deadbeef-1")]

    assert "started anew" in told[0]
    assert '"type":"opened"' in told[1]
    assert "new" in told[2]


async def test_a_slow_reader_is_told_what_it_lost() -> None:
    """The log is bounded; a gap becomes a record."""
    events = EventLog(OPENED, size=2)
    for number in range(5):
        events.add(Entry.of(Trouble(at=float(number), part="x", detail=f"number {number}")))
    events.close()
    lines = [line.decode() async for line in events.follow()]

    assert "opened" in lines[0]
    assert "3 records were lost" in lines[1]
    assert ["number 3" in lines[2], "number 4" in lines[3], len(lines)] == [True, True, 4]


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (404, '{"detail":"Not Found"}', "application/json"),
        (404, '{"error":{"message":"no such path"}}', "application/json"),
        (404, "404: Not Found", "text/plain"),
        (405, "", "text/plain"),
        (200, "<html>", "text/html"),
        (200, "{", "application/json"),
    ],
)
async def test_something_that_is_no_chaosproxy_is_said_in_words(status: int, text: str, kind: str) -> None:
    """A mistyped port is often that of the system itself."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text=text, content_type=kind)

    async with RawTestServer(answer) as server:
        url = str(server.make_url("")).rstrip("/")
        async with ControlClient(url) as client:
            with pytest.raises(PartFailed, match=f"^no control API of chaosproxy answers at {url};"):
                await client.status()


@pytest.mark.parametrize("text", ['{"a": 1}', "[]", "null"])
async def test_an_api_of_something_else_is_said_in_words(text: str) -> None:
    """Its JSON is not what we know; nobody needs to know how we noticed."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.json_response(text=text)

    async with RawTestServer(answer) as server, ControlClient(str(server.make_url(""))) as client:
        for ask in (client.status, client.faults, partial(client.lock, "why")):
            with pytest.raises(PartFailed, match="is no control API of chaosproxy") as caught:
                await ask()
            assert "pydantic" not in str(caught.value)


async def test_a_gateway_that_answers_for_a_proxy_that_is_away() -> None:
    """It says nothing about what stands behind it."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=502, text="<html>", content_type="text/html")

    async with RawTestServer(answer) as server, ControlClient(str(server.make_url(""))) as client:
        with pytest.raises(PartFailed, match="cannot be reached: 502"):
            await client.status()


async def test_a_proxy_that_is_gone_is_said_in_words() -> None:
    """Commands and events name the address."""
    async with plane() as here:
        url = here.url
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
    async with plane() as here:
        address = here.url.removeprefix("http://")
        api = ControlApi(here.desk, time.monotonic, listen=address)
        with pytest.raises(PartFailed, match=f"cannot listen on {address}: address already in use"):
            await api.__aenter__()
