"""What the reference does not have: leases, hits, toxics at creation; in one loop, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import structlog

from chaosproxy.errors import PartFailed
from chaosproxy.toxics.server.api import ToxiproxyApi
from chaosproxy.toxics.server.logs import log_to_stdout
from chaosproxy.toxics.server.toxic_forms import TYPES

GIVE_UP_S = 10.0


class Client:
    """Asks the API."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._url = f"http://{address}"

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self._session.request(method, self._url + path, json=body) as response:
            is_json = response.headers.get("Content-Type") == "application/json"
            return response.status, await (response.json() if is_json else response.text())


@pytest.fixture
async def api() -> AsyncIterator[ToxiproxyApi]:
    """A server."""
    async with ToxiproxyApi(listen="127.0.0.1:0", seed=1, proxy_metrics=True, runtime_metrics=True) as api:
        yield api


@pytest.fixture
async def client(api: ToxiproxyApi) -> AsyncIterator[Client]:
    """A client of it."""
    async with aiohttp.ClientSession() as session:
        yield Client(session, api.address)


@pytest.fixture
async def echo() -> AsyncIterator[str]:
    """An upstream that says everything again."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


TOXIC = "/proxies/p/toxics/t"


async def created(client: Client, upstream: str, *toxics: dict[str, Any]) -> str:
    """A proxy; its address."""
    body = {"name": "p", "upstream": upstream, "toxics": list(toxics)}
    status, proxy = await client.ask("POST", "/proxies", body)
    assert status == 201, proxy
    return str(proxy["listen"])


async def echoed(address: str) -> bytes:
    """What comes back of five bytes, up to the end."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"12345")
    writer.write_eof()
    async with asyncio.timeout(GIVE_UP_S):
        got = await reader.read()
    writer.close()
    return got


async def gone(client: Client, path: str = TOXIC) -> None:
    """Wait until the toxic is no more."""
    async with asyncio.timeout(GIVE_UP_S):
        while True:
            status, _ = await client.ask("GET", path)
            if status == 404:
                return
            await asyncio.sleep(0.01)


class TestLeases:
    """A toxic that ends by itself."""

    async def test_a_toxic_ends_with_its_lease(self, client: Client, echo: str) -> None:
        """As if it had been deleted."""
        address = await created(
            client, echo, {"name": "t", "type": "limit_data", "ttl": 100, "attributes": {"bytes": 2}}
        )

        assert await echoed(address) == b"12"
        await gone(client)
        assert await echoed(address) == b"12345"

    async def test_what_is_left_is_shown_of_one_toxic(self, client: Client, echo: str) -> None:
        """Lists stay as they are everywhere."""
        await created(client, echo)
        _, made = await client.ask("POST", "/proxies/p/toxics", {"name": "t", "type": "noop", "ttl": 60_000})
        _, shown = await client.ask("GET", TOXIC)
        _, listed = await client.ask("GET", "/proxies/p/toxics")

        assert 50_000 < shown["ttl"] <= made["ttl"] <= 60_000
        assert "ttl" not in listed[0]

    async def test_a_lease_is_renewed_and_ended_by_a_patch(self, client: Client, echo: str) -> None:
        """Without a ttl it stays as it is; with 0 the toxic stays for ever."""
        await created(client, echo, {"name": "t", "type": "noop", "ttl": 60_000})

        _, kept = await client.ask("PATCH", TOXIC, {"toxicity": 0.5})
        _, renewed = await client.ask("PATCH", TOXIC, {"ttl": 90_000})
        _, ended = await client.ask("PATCH", TOXIC, {"ttl": 0})

        assert kept["ttl"] <= 60_000 < renewed["ttl"]
        assert "ttl" not in ended
        await client.ask("PATCH", TOXIC, {"ttl": 1})
        await gone(client)

    async def test_a_toxic_of_the_same_name_does_not_inherit_a_lease(self, client: Client, echo: str) -> None:
        """Deleting one cancels it."""
        await created(client, echo, {"name": "t", "type": "noop", "ttl": 50}, {"name": "u", "type": "noop", "ttl": 80})
        await client.ask("DELETE", TOXIC)
        await client.ask("POST", "/proxies/p/toxics", {"name": "t", "type": "noop"})
        await gone(client, "/proxies/p/toxics/u")

        assert (await client.ask("GET", TOXIC))[0] == 200


class TestHits:
    """On how many connections a toxic acted."""

    async def test_are_counted_for_the_toxic_and_for_prometheus(self, client: Client, echo: str) -> None:
        """Once for each connection."""
        address = await created(client, echo, {"name": "t", "type": "limit_data", "attributes": {"bytes": 2}})
        assert (await client.ask("GET", TOXIC))[1]["hits"] == 0
        for _ in range(2):
            await echoed(address)

        _, metrics = await client.ask("GET", "/metrics")
        assert (await client.ask("GET", TOXIC))[1]["hits"] == 2
        assert 'toxiproxy_toxic_hits_total{proxy="p",toxic="t"} 2\n' in metrics
        assert "process_cpu_seconds_total" in metrics


class TestCreation:
    """Proxies with their toxics."""

    async def test_wrong_toxics_create_nothing(self, client: Client) -> None:
        """Not even the proxies before them."""
        good = {"name": "a", "upstream": "u:1"}
        bad = {**good, "name": "b", "toxics": [{"type": "latency", "attributes": {"latency": -1}}]}
        status, answer = await client.ask("POST", "/populate", [good, bad])

        assert (status, answer["proxies"]) == (400, [])
        assert answer["error"].endswith(" at proxy 2")
        assert await client.ask("GET", "/proxies") == (200, {})

    async def test_populating_again_keeps_toxics(self, client: Client) -> None:
        """Those that it has, not those of the body."""
        _, made = await client.ask("POST", "/proxies", {"name": "p", "upstream": "u:1", "toxics": [{"type": "noop"}]})
        again = {"name": "p", "upstream": "u:1", "listen": made["listen"], "toxics": [{"type": "timeout"}]}
        _, populated = await client.ask("POST", "/populate", [again])

        assert populated["proxies"] == [made]

    async def test_a_proxy_that_cannot_start_leaves_no_lease(self, client: Client) -> None:
        """Its name is free."""
        body = {"name": "p", "upstream": "u:1", "toxics": [{"type": "noop", "ttl": 1}]}
        status, _ = await client.ask("POST", "/proxies", {**body, "listen": "nocolon"})

        assert status == 500
        assert (await client.ask("POST", "/proxies", body))[0] == 201


@pytest.mark.parametrize("name", TYPES)
async def test_the_largest_numbers_do_no_harm(name: str, client: Client, echo: str) -> None:
    """Data on such a toxic, and the API still answers."""
    attributes = dict.fromkeys(TYPES[name].attribute_units, 2**63 - 1)
    address = await created(client, echo, {"name": "t", "type": name, "attributes": attributes})
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"12345")
    await asyncio.wait({asyncio.ensure_future(reader.read(5))}, timeout=0.05)

    assert (await client.ask("GET", TOXIC))[1]["attributes"] == attributes
    assert (await client.ask("DELETE", TOXIC))[0] == 204
    writer.close()


@pytest.mark.parametrize(("host", "loopback"), [("127.0.0.1", True), ("0.0.0.0", False)])
async def test_it_knows_who_can_reach_it(host: str, loopback: bool) -> None:
    """So that it can warn."""
    async with ToxiproxyApi(listen=f"{host}:0", seed=1) as api:
        assert api.is_loopback is loopback


async def test_a_busy_port_is_an_error_of_ours(api: ToxiproxyApi) -> None:
    """With words for a person."""
    with pytest.raises(PartFailed, match="cannot listen on"):
        async with ToxiproxyApi(listen=api.address, seed=1):
            pass


def test_an_unknown_level_is_named_and_means_all(capsys: pytest.CaptureFixture[str]) -> None:
    """As the reference does."""
    try:
        log_to_stdout("loud")
        structlog.get_logger().debug("heard")
    finally:
        structlog.reset_defaults()

    said = capsys.readouterr().out
    assert r"unknown LOG_LEVEL value: \"loud\"" in said
    assert '"message": "heard"' in said
