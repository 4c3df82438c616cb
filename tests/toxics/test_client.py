"""The client of somebody else's server: real errors, deadlines, and several servers at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import toxiproxy as users_copy

from chaosproxy.errors import PartFailed
from chaosproxy.plan.on_server import ServerToxic
from chaosproxy.toxics import client
from chaosproxy.toxics.client import ServerProxy, ServerRefused, ServerUnreachable, ToxiproxyServer
from tests.e2e.drill import free_port
from tests.toxics.servers import Fake, faking

SLOW = ServerToxic("latency", "upstream", 0.5, {"latency": 10})
Ask = Callable[[ToxiproxyServer], Awaitable[Any]]


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A server that does what it is told."""
    with faking() as server:
        yield server


async def test_everything_that_a_run_needs(fake: Fake) -> None:
    """Names that need escaping in a path included."""
    server = ToxiproxyServer(fake.url + "/")

    assert await server.version() == "2.12.0"
    made = await server.create("a b.ü", "127.0.0.1:1", "127.0.0.1:2")
    assert made == ServerProxy("a b.ü", "127.0.0.1:1", "127.0.0.1:2", enabled=True)
    await server.add_toxic("a b.ü", "my toxic", SLOW)
    assert fake.proxies["a b.ü"]["toxics"] == [
        {"name": "my toxic", "type": "latency", "stream": "upstream", "toxicity": 0.5, "attributes": {"latency": 10}}
    ]
    await server.enable("a b.ü", enabled=False)
    assert await server.proxies() == {"a b.ü": ServerProxy("a b.ü", "127.0.0.1:1", "127.0.0.1:2", False, ("my toxic",))}
    await server.enable("a b.ü", enabled=True)
    assert fake.proxies["a b.ü"]["enabled"] is True
    await server.remove_toxic("a b.ü", "my toxic")
    await server.remove("a b.ü")
    assert await server.proxies() == {}


async def test_what_is_gone_needs_no_removal(fake: Fake) -> None:
    """Neither a proxy nor a toxic; anything else on what is not there fails."""
    server = ToxiproxyServer(fake.url)

    await server.remove("x")
    await server.remove_toxic("x", "y")
    with pytest.raises(ServerRefused, match="proxy 'x': 404 proxy not found"):
        await server.enable("x", enabled=True)


@pytest.mark.parametrize(
    ("line", "answer", "ask", "words"),
    [
        (
            "POST /proxies",
            (500, '{"error":"listen tcp 127.0.0.1:1: bind: address already in use","status":500}'),
            lambda server: server.create("p", "127.0.0.1:1", "u:1"),
            "proxy 'p' at 127.0.0.1:1: 500 listen tcp 127.0.0.1:1: bind: address already in use",
        ),
        (
            "POST /proxies/a/toxics",
            (409, '{"error":"toxic already exists","status":409}'),
            lambda server: server.add_toxic("a", "t", SLOW),
            "toxic 't' on 'a': 409 toxic already exists",
        ),
        (
            "POST /proxies/a/toxics",
            (400, '{"error":"invalid toxic type","status":400}'),
            lambda server: server.add_toxic("a", "t", SLOW),
            "toxic 't' on 'a': 400 invalid toxic type",
        ),
        ("DELETE /proxies/a", (503, "<html>busy</html>"), lambda server: server.remove("a"), "503 <html>busy</html>"),
        ("GET /proxies", (302, ""), lambda server: server.proxies(), "GET /proxies: 302"),
        ("GET /proxies", (200, "[1]"), lambda server: server.proxies(), "not what a Toxiproxy server answers"),
        ("GET /proxies", (200, '{"a": {}}'), lambda server: server.proxies(), "not what a Toxiproxy server answers"),
        ("GET /proxies", (200, "oops"), lambda server: server.proxies(), "not what a Toxiproxy server answers"),
        ("POST /proxies", (201, "{}"), lambda server: server.create("p", ":1", "u:1"), "not what a Toxiproxy server"),
        ("GET /version", (404, "no such page"), lambda server: server.version(), "is not a Toxiproxy server: .*404"),
        ("GET /version", (200, "<html>hello"), lambda server: server.version(), "GET /version said '<html>hello'"),
        ("GET /version", (200, "1.2.1"), lambda server: server.version(), "is Toxiproxy 1.2.1; 2.0 or newer is needed"),
    ],
)
async def test_refusals_are_told_in_the_servers_words(
    fake: Fake, line: str, answer: tuple[int, str], ask: Ask, words: str
) -> None:
    """Every status, with what was asked of which server."""
    fake.add("a")
    fake.answers[line] = answer

    with pytest.raises(ServerRefused, match=words) as caught:
        await ask(ToxiproxyServer(fake.url))
    assert str(caught.value).startswith(fake.url)


async def test_a_proxy_that_is_there_already(fake: Fake) -> None:
    """The library itself looks first."""
    fake.add("p")

    with pytest.raises(ServerRefused, match="proxy 'p' at :1: there is one already"):
        await ToxiproxyServer(fake.url).create("p", ":1", "u:1")


@pytest.mark.parametrize("said", ["git", "2.1.4", '{"version":"2.12.0"}'])
async def test_versions_old_and_new(fake: Fake, said: str) -> None:
    """Some say it in plain text."""
    fake.answers["GET /version"] = (200, said)

    assert await ToxiproxyServer(fake.url).version() in said


async def test_nobody_there() -> None:
    """A closed port, and a name that nobody has."""
    with pytest.raises(ServerUnreachable, match="cannot be reached: connection refused"):
        await ToxiproxyServer(f"http://127.0.0.1:{free_port()}").version()
    with pytest.raises(ServerUnreachable, match=r"http://nowhere\.invalid:1 cannot be reached: "):
        await ToxiproxyServer("http://nowhere.invalid:1").version()


async def test_a_slow_server_has_a_deadline(fake: Fake) -> None:
    """And the loop goes on meanwhile; what was asked is still carried out, which is known afterwards."""
    fake.add("a")
    fake.held["DELETE /proxies/a"] = threading.Event()
    server = ToxiproxyServer(fake.url, answer_within_s=0.2)
    turns = 0

    async def turning() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    other = asyncio.create_task(turning())
    with pytest.raises(ServerUnreachable, match=r"proxy 'a': no answer within 0\.2 s|no answer in time"):
        await server.remove("a")
    other.cancel()
    assert turns > 3
    assert "a" in await server.proxies()


async def test_a_command_that_nobody_waits_for_is_waited_for_in_the_end(fake: Fake) -> None:
    """Cancelled in mid-flight, it may still be carried out."""
    fake.add("a")
    fake.held["DELETE /proxies/a"] = threading.Event()
    server = ToxiproxyServer(fake.url)
    removing = asyncio.create_task(server.remove("a"))
    await asyncio.to_thread(fake.wait_asked, "DELETE /proxies/a")
    removing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await removing

    settling = asyncio.create_task(server.settled())
    await asyncio.sleep(0.05)
    assert not settling.done()
    fake.held["DELETE /proxies/a"].set()
    await settling
    assert await server.proxies() == {}


async def test_one_that_never_settles_is_a_failure(fake: Fake) -> None:
    """Nobody can say that it is healed then."""
    fake.held["GET /proxies"] = threading.Event()
    server = ToxiproxyServer(fake.url, answer_within_s=0.3)
    asking = asyncio.create_task(server.proxies())
    await asyncio.sleep(0)
    asking.cancel()
    server._within_s = 0.01

    with pytest.raises(ServerUnreachable, match="has not answered everything"):
        await server.settled()


async def test_servers_do_not_share_anything(fake: Fake) -> None:
    """Two servers at once, each asked a hundred times, and the user's own use of the library beside them."""
    users_copy.Toxiproxy().update_api_consumer("192.0.2.1", 1)
    with faking() as other:
        servers = [ToxiproxyServer(fake.url), ToxiproxyServer(other.url)]
        names = [f"p{number}" for number in range(20)]
        await asyncio.gather(
            *(server.create(f"{name}-{n}", ":1", "u:1") for name in names for n, server in enumerate(servers))
        )

        assert sorted(fake.proxies) == sorted(f"{name}-0" for name in names)
        assert sorted(other.proxies) == sorted(f"{name}-1" for name in names)
    assert users_copy.server.APIConsumer.host == "192.0.2.1"
    assert "Calls" not in str(users_copy.api.requests)


async def test_an_endless_answer_is_not_read(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a limit, which has a name."""
    monkeypatch.setattr(client, "ANSWER_BYTES_MAX", 100)
    fake.answers["GET /proxies"] = (200, " " * 1000)

    with pytest.raises(ServerRefused, match=r"more than 100 bytes \(ANSWER_BYTES_MAX\)"):
        await ToxiproxyServer(fake.url).proxies()


async def test_a_proxy_for_the_internet_is_not_asked(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """As little as aiohttp does."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")

    assert await ToxiproxyServer(fake.url).version() == "2.12.0"


async def test_a_machine_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setattr(client, "find_spec", lambda _: None)

    with pytest.raises(PartFailed, match="pip install toxiproxy-python"):
        ToxiproxyServer("http://127.0.0.1:1")
