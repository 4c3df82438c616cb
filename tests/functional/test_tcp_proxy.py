"""The TCP proxy over real sockets: bytes, ends, live toxics, leases and bounds."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar

import pytest
import uvloop

from chaosproxy.dice import Dice
from chaosproxy.events import Frame, Outgoing
from chaosproxy.faults.base import Stage
from chaosproxy.faults.toxic.base import Direction, Toxic
from chaosproxy.faults.toxic.byte_stage import ByteStage
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.tcp.port import CannotListen
from chaosproxy.proxy.tcp.tcp_proxy import TcpProxy
from chaosproxy.proxy.timers import Timers
from tests.functional.tcp_kit import settled, stand, toxic
from tests.proxy.test_timers import Hands

BIG = random.Random(1).randbytes(3_000_000)


class TestBytes:
    async def test_both_directions_pass_untouched(self) -> None:
        async with stand() as at:
            client, server = await at.pair()
            reading = asyncio.gather(client.end(), server.end())
            sent = asyncio.gather(client.send(BIG), server.send(BIG[::-1]))
            await sent
            client.finish()
            server.finish()

            assert [*await reading] == ["fin", "fin"]
            assert (bytes(server.got), bytes(client.got)) == (BIG, BIG[::-1])
            await at.all_closed()
            up, down = (at.proxy.traffic(direction) for direction in Direction)
            assert up.received_bytes == up.sent_bytes == down.received_bytes == down.sent_bytes == len(BIG)

    async def test_what_a_client_sends_at_once_is_not_lost(self) -> None:
        async with stand() as at:
            client = await at.client()
            await client.send(b"early")
            client.finish()
            server = await at.accepted.get()

            assert await server.end() == "fin"
            assert server.got == b"early"

    @pytest.mark.parametrize("seed", range(12))
    async def test_random_chains_of_toxics_keep_the_bytes(self, seed: int) -> None:
        """In both directions, with toxics that come, change and go on the way."""
        dice = random.Random(seed)
        async with stand() as at:
            for number in range(dice.randrange(1, 4)):
                at.proxy.add(f"t{number}", _keeping(dice))
            client, server = await at.pair()
            reading = asyncio.gather(client.end(), server.end())
            up, down = dice.randbytes(30_000), dice.randbytes(30_000)
            for start in range(0, 30_000, 6_000):
                await client.send(up[start : start + 6_000])
                await server.send(down[start : start + 6_000])
                _change(at.proxy, dice)
                await asyncio.sleep(0.001)
            client.finish()
            server.finish()

            assert [*await reading] == ["fin", "fin"]
            assert (bytes(server.got), bytes(client.got)) == (up, down)


def _keeping(dice: random.Random) -> Toxic:
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("latency", {"latency": "5ms", "jitter": "9ms"}),
        ("bandwidth", {"rate": 2000}),
        ("slicer", {"average_size": 500, "size_variation": 400, "delay": "0.1ms"}),
        ("slow_close", {"delay": "20ms"}),
    ]
    name, settings = dice.choice(kinds)
    more: dict[str, Any] = {"direction": dice.choice(["upstream", "downstream"]), "toxicity": dice.choice([1.0, 0.5])}
    return toxic(name, **settings, **more)


def _change(proxy: TcpProxy, dice: random.Random) -> None:
    names = [placed.name for placed in proxy.toxics]
    match dice.randrange(3):
        case 0:
            proxy.add(f"t{dice.random()}", _keeping(dice))
        case 1 if names:
            proxy.update(dice.choice(names), _keeping(dice))
        case 2 if names:
            proxy.remove(dice.choice(names))


class TestEnds:
    async def test_half_a_close_is_passed_on(self) -> None:
        """The answer comes after the client has said that it sends no more."""
        async with stand() as at:
            client, server = await at.pair()
            await client.send(b"question")
            client.finish()
            assert await server.end() == "fin"
            await server.send(b"answer")
            server.finish()

            assert await client.end() == "fin"
            assert (bytes(server.got), bytes(client.got)) == (b"question", b"answer")
            await at.all_closed()

    async def test_a_reset_is_passed_on_both_ways(self) -> None:
        async with stand() as at:
            client, server = await at.pair()
            server.reset()
            assert await client.end() == "rst"
            client, server = await at.pair()
            client.reset()
            assert await server.end() == "rst"
            await at.all_closed()

    @pytest.mark.parametrize(
        ("name", "settings", "end", "got"),
        [
            ("reset_peer", {}, "rst", b""),
            ("timeout", {"timeout": "10ms"}, "fin", b""),
            ("limit_data", {"bytes": 3}, "fin", b"abc"),
        ],
    )
    async def test_both_sides_see_how_a_toxic_ends_it(
        self, name: str, settings: dict[str, Any], end: str, got: bytes
    ) -> None:
        async with stand() as at:
            placed = at.proxy.add("t", toxic(name, **settings))
            client, server = await at.pair()
            await server.send(b"abcdef")

            assert (await client.end(), await server.end()) == (end, end)
            assert client.got == got
            assert placed.hits == len(at.hits) == 1
            assert at.hits[0][:2] == ("t", 1)

    async def test_an_upstream_that_refuses_is_a_fin(self) -> None:
        async with stand() as at:
            await at.refuse()
            client = await at.client()

            assert await client.end() == "fin"
            await at.all_closed()

    @pytest.mark.parametrize("upstream", ["nowhere", "127.0.0.1:99999", "no.such.name.invalid:1"])
    async def test_an_upstream_that_cannot_be_is_a_fin(self, upstream: str) -> None:
        async with stand() as at:
            await at.proxy.rebind("127.0.0.1:0", upstream)

            assert await (await at.client()).end() == "fin"

    async def test_a_client_that_leaves_while_the_upstream_is_dialled_leaves_nothing(self) -> None:
        async with stand() as at:
            (await at.client()).reset()
            for _ in range(3):
                client, server = await at.pair() if not at.accepted.empty() else (await at.client(), None)
                client.reset()
                if server is not None:
                    await server.end()
            await at.all_closed()

            assert at.proxy.connections == 0


class TestLiveChanges:
    async def test_a_toxic_acts_on_open_connections_and_stops(self) -> None:
        async with stand() as at:
            client, server = await at.pair()
            at.proxy.add("stop", toxic("bandwidth", rate=0))
            await server.send(b"held")
            await at.hit()
            assert client.got == b""
            at.proxy.remove("stop")

            assert await client.read(4) == b"held"
            await server.send(b"free")
            assert await client.read(4) == b"free"

    async def test_removing_a_timeout_closes_its_connections(self) -> None:
        async with stand() as at:
            client, server = await at.pair()
            at.proxy.add("t", toxic("timeout"))
            at.proxy.remove("t")

            assert (await client.end(), await server.end()) == ("fin", "fin")

    async def test_a_client_that_does_not_read_blocks_nobody(self) -> None:
        """Adding, changing and removing take no time, and the memory is bounded."""
        limits = Limits(held_bytes=300_000)
        async with stand(limits=limits) as at:
            client, server = await at.pair()
            at.proxy.add("late", toxic("latency", latency="60s"))
            flood = asyncio.create_task(server.send(BIG * 10))
            held = await settled(lambda: at.proxy.traffic(Direction.DOWNSTREAM).received_bytes, 300_000)
            assert held < 2_000_000
            began_s = time.process_time()
            at.proxy.update("late", toxic("latency", latency="30s"))
            at.proxy.add("slicer", toxic("slicer", average_size=1000))
            at.proxy.remove("late")
            at.proxy.remove("slicer")
            assert time.process_time() - began_s < 0.1
            fresh, other = await at.pair()
            await fresh.send(b"hello")
            assert await other.read(5) == b"hello"
            reading = asyncio.create_task(client.read(len(BIG) * 10))
            await flood

            assert await reading == BIG * 10

    async def test_a_thin_line_reads_no_further_than_it_must(self) -> None:
        """So a sender notices it, as it would a real one."""
        async with stand() as at:
            _client, server = await at.pair()
            at.proxy.add("thin", toxic("bandwidth", rate=0))
            flood = asyncio.create_task(server.send(BIG * 10))

            assert await settled(lambda: at.proxy.traffic(Direction.DOWNSTREAM).received_bytes, 64 * 1024) < 600_000
            flood.cancel()

    async def test_a_broken_update_is_refused(self) -> None:
        async with stand() as at:
            at.proxy.add("t", toxic("noop"))
            with pytest.raises(ValueError, match="'t' already"):
                at.proxy.add("t", toxic("noop"))
            with pytest.raises(KeyError):
                at.proxy.update("other", toxic("noop"))
            with pytest.raises(KeyError):
                at.proxy.remove("other")

    async def test_toxics_stand_upstream_first_and_in_their_order(self) -> None:
        async with stand() as at:
            for name, direction in (("a", "downstream"), ("b", "upstream"), ("c", "downstream"), ("d", "upstream")):
                at.proxy.add(name, toxic("noop", direction=direction))
            at.proxy.update("a", toxic("noop", direction="upstream", toxicity=0.5))

            assert [placed.name for placed in at.proxy.toxics] == ["b", "d", "a", "c"]
            assert at.proxy.toxics[2].toxic == toxic("noop", toxicity=0.5)

    async def test_an_update_that_poisons_anew_keeps_the_place(self) -> None:
        """A limit before a slow toxic cuts at once, whatever was drawn before."""
        async with stand() as at:
            at.proxy.add("limit", toxic("limit_data", bytes=100, toxicity=0.0))
            at.proxy.add("never", toxic("bandwidth", rate=0))
            client, server = await at.pair()
            at.proxy.update("limit", toxic("limit_data", bytes=0))
            await server.send(b"x")
            await at.hit()
            at.proxy.remove("never")

            assert await client.end() == "fin"
            assert [name for name, _, _ in at.hits] == ["limit"]


class Broken(Toxic):
    """A toxic with a bug."""

    type: ClassVar[str] = "toxic.broken"
    symptom: ClassVar[str] = "none"

    def poison(self, dice: random.Random, carried: Stage | None) -> ByteStage:
        return Raising("never")


class Raising(ByteStage):
    def on_data(self, frame: Frame) -> Sequence[Outgoing]:
        raise ZeroDivisionError


async def test_a_bug_in_a_toxic_resets_its_own_connection_only() -> None:
    """The others never notice."""
    async with stand() as at:
        healthy, peer = await at.pair()
        at.proxy.add("bug", Broken())
        client, server = await at.pair()
        await server.send(b"x")

        assert (await client.end(), await server.end()) == ("rst", "rst")
        await healthy.send(b"fine")
        assert await peer.read(4) == b"fine"


class TestLatency:
    async def test_chunks_come_late_in_order_and_at_full_speed(self) -> None:
        async with stand() as at:
            at.proxy.add("late", toxic("latency", latency="100ms"))
            client, server = await at.pair()
            began_s = time.monotonic()
            await server.send(BIG)
            server.finish()

            assert await client.end() == "fin"
            assert client.got == BIG
            assert time.monotonic() - began_s >= 0.1

    async def test_the_same_seed_draws_the_same_connections(self) -> None:
        async def poisoned() -> list[int]:
            async with stand() as at:
                at.proxy.add("some", toxic("limit_data", bytes=0, toxicity=0.5))
                for _ in range(20):
                    client, server = await at.pair()
                    await server.send(b"x")
                    server.finish()
                    await client.end()
                return sorted(number for _, number, _ in at.hits)

        first = await poisoned()

        assert first == await poisoned()
        assert 4 <= len(first) <= 16


class TestPort:
    async def test_listen_becomes_the_resolved_address(self) -> None:
        async with stand() as at:
            await at.proxy.rebind("localhost:0", at.proxy.upstream)
            host, port = at.proxy.listen.split(":")

            assert (host, int(port) > 0) == ("127.0.0.1", True)

    async def test_a_stop_closes_connections_and_the_port_and_keeps_toxics(self) -> None:
        async with stand() as at:
            at.proxy.add("t", toxic("noop"))
            client, server = await at.pair()
            listen = at.proxy.listen
            await at.proxy.stop()

            assert (await client.end(), await server.end()) == ("fin", "fin")
            assert not at.proxy.enabled
            with pytest.raises(ConnectionRefusedError):
                await at.client()
            await at.proxy.start()
            assert at.proxy.listen == listen
            assert [placed.name for placed in at.proxy.toxics] == ["t"]
            await at.pair()

    async def test_down_refuses_and_closes_until_it_is_removed(self) -> None:
        async with stand() as at:
            client, server = await at.pair()
            at.proxy.add("d", toxic("down"))

            assert (await client.end(), await server.end()) == ("fin", "fin")
            with pytest.raises(ConnectionRefusedError):
                await at.client()
            at.proxy.remove("d")
            await at.pair()

    async def test_a_share_of_down_closes_new_connections(self) -> None:
        async with stand() as at:
            at.proxy.add("d", toxic("down", toxicity=0.999_999))

            assert await (await at.client()).end() == "fin"
            await at.all_closed()

    @pytest.mark.parametrize(
        ("listen", "go_text"),
        [
            ("nowhere", "listen tcp: address nowhere: missing port in address"),
            ("::1", "listen tcp: address ::1: too many colons in address"),
            ("127.0.0.1:70000", "listen tcp: address 70000: invalid port"),
            ("127.0.0.1:x", "listen tcp: lookup tcp/x: unknown port"),
            ("192.0.2.1:0", "listen tcp 192.0.2.1:0: bind: cannot assign requested address"),
        ],
    )
    async def test_what_cannot_be_listened_on_is_told_in_both_words(self, listen: str, go_text: str) -> None:
        proxy = TcpProxy("p", listen, "127.0.0.1:1", **_alone())

        with pytest.raises(CannotListen, match="cannot listen on") as refused:
            await proxy.start()
        assert refused.value.go_text == go_text
        assert not proxy.enabled

    async def test_a_busy_port_is_told(self) -> None:
        async with stand() as at:
            proxy = TcpProxy("q", at.proxy.listen, "127.0.0.1:1", **_alone())

            with pytest.raises(CannotListen) as refused:
                await proxy.start()
            assert refused.value.go_text == f"listen tcp {at.proxy.listen}: bind: address already in use"

    async def test_one_connection_too_many_is_closed(self) -> None:
        async with stand(limits=Limits(connections=1)) as at:
            first, _ = await at.pair()
            second = await at.client()

            assert await second.end() in {"fin", "rst"}
            assert at.proxy.connections == 1
            first.reset()
            await at.all_closed()
            await at.pair()


def _alone() -> dict[str, Any]:
    return {"clock": time.monotonic, "timers": Timers(time.monotonic), "dice": Dice(1)}


class TestLeases:
    async def test_a_toxic_ends_with_its_lease(self) -> None:
        """On a clock that stands where the test puts it."""
        hands = Hands()
        async with stand(clock=lambda: hands.now, timers=hands.timers) as at:
            placed = at.proxy.add("leased", toxic("bandwidth", rate=0), lease_s=30.0)
            at.proxy.add("lasting", toxic("noop"))
            assert placed.until == 30.0
            client, server = await at.pair()
            await server.send(b"held")
            await at.hit()
            hands.move(29.9)
            assert len(at.proxy.toxics) == 2
            hands.move(30.0)

            assert [each.name for each in at.proxy.toxics] == ["lasting"]
            assert await client.read(4) == b"held"

    async def test_a_toxic_that_was_removed_has_no_lease_any_more(self) -> None:
        hands = Hands()
        async with stand(clock=lambda: hands.now, timers=hands.timers) as at:
            at.proxy.add("t", toxic("noop"), lease_s=30.0)
            at.proxy.remove("t")
            at.proxy.add("t", toxic("noop"))
            hands.move(31.0)

            assert [each.name for each in at.proxy.toxics] == ["t"]


SCENARIOS = [
    getattr(kind(), name)
    for kind in (TestBytes, TestEnds, TestLiveChanges, TestLatency, TestPort, TestLeases)
    for name, function in vars(kind).items()
    if name.startswith("test_") and len(inspect.signature(function).parameters) == 1
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_it_is_the_same_in_uvloop(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Its transports begin to read and close at other moments than asyncio's."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
