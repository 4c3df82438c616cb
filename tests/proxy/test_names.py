"""How a host's addresses are found."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from chaosproxy.proxy.upstream.names import Resolver


class Names:
    """A name server of ours, in the place of the system's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.answers = threading.Event()
        self.error: OSError | None = None
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, host: str, port: int, **_: Any) -> Any:
        self.asked += 1
        self.answers.wait(30)
        if self.error is not None:
            raise self.error
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """They answer when they are told to."""
    return Names(monkeypatch)


@pytest.mark.parametrize(
    ("host", "family", "address"),
    [("127.0.0.1", socket.AF_INET, ("127.0.0.1", 80)), ("::1", socket.AF_INET6, ("::1", 80, 0, 0))],
)
async def test_an_address_needs_no_look_up(names: Names, host: str, family: int, address: tuple[Any, ...]) -> None:
    """It is what getaddrinfo would make of it."""
    ((found_family, kind, _, _, found),) = await Resolver(host, 80).addresses()

    assert (found_family, kind, found) == (family, socket.SOCK_STREAM, address)
    assert names.asked == 0


async def test_all_who_wait_share_one_look_up(names: Names) -> None:
    """Those that come later get a new one."""
    resolver = Resolver("name", 80)
    waiting = [asyncio.ensure_future(resolver.addresses()) for _ in range(100)]
    await asyncio.sleep(0)
    names.answers.set()
    found = await asyncio.gather(*waiting)
    assert {each[0][4] for each in found} == {("192.0.2.1", 80)}
    assert names.asked == 1

    await resolver.addresses()
    assert names.asked == 2


async def test_who_gives_up_takes_nothing_from_the_others(names: Names) -> None:
    """A cancelled request leaves the look-up to the rest."""
    resolver = Resolver("name", 80)
    first, second = (asyncio.ensure_future(resolver.addresses()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    names.answers.set()

    assert (await second)[0][4] == ("192.0.2.1", 80)
    assert first.cancelled()


async def test_an_unknown_name_is_an_error_for_all(names: Names) -> None:
    """And is looked up again the next time."""
    names.error = socket.gaierror(socket.EAI_NONAME, "unknown")
    names.answers.set()
    resolver = Resolver("name", 80)
    outcomes = await asyncio.gather(*(resolver.addresses() for _ in range(2)), return_exceptions=True)
    assert outcomes == [names.error, names.error]

    names.error = None
    assert await resolver.addresses()


def test_a_look_up_that_outlives_its_loop_is_forgotten(names: Names) -> None:
    """A process that ends does not wait for a name server, and nothing is said about it."""

    async def give_up() -> None:
        waiting = asyncio.ensure_future(Resolver("name", 80).addresses())
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(give_up())
    (thread,) = (each for each in threading.enumerate() if each.name == "resolve name")
    names.answers.set()
    thread.join(10)

    assert thread.daemon
