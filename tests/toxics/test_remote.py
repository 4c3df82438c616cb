"""What a run makes on a server, and that nothing of it stays; against a server that only remembers."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from chaosproxy.errors import PartFailed
from chaosproxy.plan.on_server import OnServer, ServerToxic
from chaosproxy.toxics.board import Board, Held
from chaosproxy.toxics.client import ToxiproxyServer
from chaosproxy.toxics.lease import Lease, new_lease
from chaosproxy.toxics.remote import Place, Remote, Swept, hostport
from tests.toxics.servers import Fake, faking

NOW = 1_790_000_000.0
ELSEWHERE = Lease("00000000-1-1-ff", int(NOW) + 60)
PAST = Lease("00000000-1-1-ee", int(NOW) - 1)


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A server that does what it is told."""
    with faking() as server:
        yield server


@pytest.fixture
def remote(fake: Fake) -> Remote:
    """A run of this process."""
    return Remote(ToxiproxyServer(fake.url), new_lease(NOW, 60), lambda: NOW)


class TestSweeping:
    async def test_removes_what_is_over_and_nothing_else(self, fake: Fake, remote: Remote) -> None:
        """Proxies, and toxics on the user's own ones; a name that only looks a little like ours is the user's."""
        fake.add("mine", toxics=("slow", PAST.name("part"), ELSEWHERE.name("part")))
        fake.add("chaosproxy.mine")
        fake.add(PAST.name("primary"))
        fake.add(ELSEWHERE.name("primary"))

        assert await remote.open() == [
            Swept(f"{PAST.name('part')} on mine", "its time has passed"),
            Swept(PAST.name("primary"), "its time has passed"),
        ]
        assert list(fake.proxies) == ["mine", "chaosproxy.mine", ELSEWHERE.name("primary")]
        assert fake.toxics("mine") == ["slow", ELSEWHERE.name("part")]

    async def test_leaves_nothing_of_its_own(self, fake: Fake, remote: Remote) -> None:
        """By its token, so that an answer that was lost does not matter."""
        fake.add("mine", toxics=("slow", remote.lease.name("part")))
        fake.add(ELSEWHERE.name("primary"))
        await remote.front("primary", "127.0.0.1:0", "127.0.0.1:9", seen=True)

        await remote.leave(5)

        assert list(fake.proxies) == ["mine", ELSEWHERE.name("primary")]
        assert fake.toxics("mine") == ["slow"]

    async def test_asks_again_until_time_is_up(self, fake: Fake, remote: Remote) -> None:
        """And then says what is the matter."""
        await remote.front("primary", "127.0.0.1:0", "127.0.0.1:9", seen=True)
        line = f"DELETE /proxies/{remote.lease.name('primary')}"
        fake.answers[line] = (500, '{"error":"no"}')

        with pytest.raises(PartFailed, match=r"proxy '.*\.primary': 500 no"):
            await remote.leave(0.6)
        assert fake.asked.count(line) > 1

    async def test_a_removal_without_effect_is_noticed(self, fake: Fake, remote: Remote) -> None:
        """A good answer is not believed."""
        place = await remote.front("primary", "127.0.0.1:0", "127.0.0.1:9", seen=True)
        fake.answers[f"DELETE /proxies/{place.proxy}"] = (204, "")

        with pytest.raises(PartFailed, match=r"still there after it was removed: .*\.primary"):
            await remote.leave(0)


class TestTheUsersOwnProxy:
    @pytest.mark.parametrize(
        ("listen", "there"),
        [
            ("127.0.0.1:9001", "127.0.0.1:9001"),
            ("localhost:9001", "127.0.0.1:9001"),
            ("0.0.0.0:9001", "[::]:9001"),
            ("127.0.0.1:9001", "[::]:9001"),
        ],
    )
    async def test_is_found(self, fake: Fake, remote: Remote, listen: str, there: str) -> None:
        """By where it listens."""
        fake.add("llm", there, "models:80")

        found = await remote.users_proxy(listen, "models:80")

        assert found is not None
        assert found.name == "llm"

    @pytest.mark.parametrize(
        ("listen", "there"),
        [("127.0.0.1:0", "127.0.0.1:0"), ("127.0.0.1:9002", "127.0.0.1:9001"), ("10.0.0.1:9001", "127.0.0.1:9001")],
    )
    async def test_another_address(self, fake: Fake, remote: Remote, listen: str, there: str) -> None:
        """Leaves room for ours."""
        fake.add("llm", there, "other:80")

        assert await remote.users_proxy(listen, "models:80") is None

    @pytest.mark.parametrize(
        ("name", "upstream", "enabled", "words"),
        [
            ("llm", "other:80", True, "its proxy 'llm' listens at :9001 already, with the upstream other:80"),
            ("llm", "models:80", False, "is not enabled; a proxy of somebody else's is never changed"),
            (ELSEWHERE.name("a"), "models:80", True, "already, for another run"),
        ],
    )
    async def test_in_the_way(
        self, fake: Fake, remote: Remote, name: str, upstream: str, enabled: bool, words: str
    ) -> None:
        """It is named."""
        fake.add(name, ":9001", upstream, enabled=enabled)

        with pytest.raises(PartFailed, match=words):
            await remote.users_proxy("127.0.0.1:9001", "models:80")


@pytest.mark.parametrize(
    ("listen", "address"), [("[::]:7", "127.0.0.1:7"), ("0.0.0.0:7", "127.0.0.1:7"), ("10.0.0.1:7", "10.0.0.1:7")]
)
async def test_clients_connect_to_the_servers_host(fake: Fake, remote: Remote, listen: str, address: str) -> None:
    """Unless it listens at one address only."""
    assert (await remote.front("a", listen, "u:1", seen=True)).address == address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://a", "a:80"),
        ("https://a/v1", "a:443"),
        ("tcp://redis:7", "redis:7"),
        ("http://[::1]:9", "[::1]:9"),
    ],
)
def test_the_address_in_a_url(url: str, address: str) -> None:
    """Schemes have ports."""
    assert hostport(url) == address


LATENCY = OnServer((ServerToxic("latency", "downstream", attributes={"latency": 5}),))
BLACKHOLE = OnServer(
    (
        ServerToxic("timeout", "upstream", suffix=".upstream"),
        ServerToxic("timeout", "downstream", suffix=".downstream"),
    ),
    cuts_open=True,
)
DOWN = OnServer(disables=True)


class TestBoard:
    @pytest.fixture
    async def place(self, remote: Remote) -> Place:
        """A proxy of the run's own."""
        return await remote.front("a", "127.0.0.1:20000", "u:1", seen=True)

    async def test_puts_and_takes(self, fake: Fake, remote: Remote, place: Place) -> None:
        """Toxics of our own proxy are called like their fault."""
        board, held = Board(remote), Held("slow", LATENCY, (place,))
        await board.put(held)
        assert (fake.toxics(place.proxy), held.acts) == (["slow"], True)
        assert board.whole(held, await remote.server.proxies())
        assert board.left(held, await remote.server.proxies()) == [f"slow on {place.proxy}"]

        await board.take(held)
        assert (fake.toxics(place.proxy), held.acts) == ([], False)
        assert not board.whole(held, await remote.server.proxies())
        assert board.left(held, await remote.server.proxies()) == []

    async def test_a_partition_cuts_first(self, fake: Fake, remote: Remote, place: Place) -> None:
        """Not enabled for a moment: that closes what is open. Then new connections meet its toxics."""
        await Board(remote).put(Held("part", BLACKHOLE, (place,)))

        path = f"/proxies/{place.proxy}"
        lines = [line for line in fake.asked if line.startswith(f"POST {path}")]
        assert lines == [f"POST {path}", f"POST {path}/toxics", f"POST {path}/toxics", f"POST {path}"]
        assert fake.toxics(place.proxy) == ["part.upstream", "part.downstream"]
        assert fake.proxies[place.proxy]["enabled"] is True

    async def test_two_faults_that_disable(self, fake: Fake, remote: Remote, place: Place) -> None:
        """The proxy listens again when the last of them is over."""
        board, faults = Board(remote), [Held(name, DOWN, (place,)) for name in ("one", "two")]
        for held in faults:
            await board.put(held)
        await board.put(third := Held("part", BLACKHOLE, (place,)))
        assert fake.proxies[place.proxy]["enabled"] is False

        await board.take(third)
        await board.take(faults[0])
        assert fake.proxies[place.proxy]["enabled"] is False
        assert board.left(faults[0], await remote.server.proxies()) == []
        await board.take(faults[1])
        assert fake.proxies[place.proxy]["enabled"] is True

    async def test_a_server_that_hangs_on_a_toxic(self, fake: Fake, remote: Remote, place: Place) -> None:
        """Our proxy is made anew, at its address, with what else acts there."""
        board, slow, other = Board(remote), Held("slow", LATENCY, (place,)), Held("other", LATENCY, (place,))
        await board.put(slow)
        await board.put(other)
        fake.held[f"DELETE /proxies/{place.proxy}/toxics/slow"] = threading.Event()

        await board.take(slow)

        assert fake.toxics(place.proxy) == ["other"]
        assert fake.proxies[place.proxy]["listen"] == "127.0.0.1:20000"

    async def test_the_users_proxy_is_never_made_anew(self, fake: Fake, remote: Remote) -> None:
        """Nor does it get a toxic that does not carry the lease."""
        fake.add("llm", ":9001", "u:1", toxics=("slow",))
        theirs = await remote.users_proxy("127.0.0.1:9001", "u:1")
        assert theirs is not None
        board, held = Board(remote), Held("slow", LATENCY, (remote.place_on("a", theirs),))
        await board.put(held)
        assert fake.toxics("llm") == ["slow", remote.lease.name("slow")]

        fake.held[f"DELETE /proxies/llm/toxics/{remote.lease.name('slow')}"] = threading.Event()
        with pytest.raises(PartFailed, match="no answer"):
            await board.take(held)
        assert "llm" in fake.proxies
        assert held.acts

    async def test_a_server_that_was_restarted_has_nothing_left(self, fake: Fake, remote: Remote, place: Place) -> None:
        """So there is nothing to remove."""
        board, held = Board(remote), Held("part", DOWN, (place,))
        await board.put(held)
        fake.proxies.clear()

        assert not board.whole(held, await remote.server.proxies())
        await board.take(held)
