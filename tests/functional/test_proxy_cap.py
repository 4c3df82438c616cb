"""conn.cap with real sockets: who waits, in which order, until when, and who is turned away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import ClassVar

import pytest

from chaosproxy.events import Exchange
from chaosproxy.faults.admission.answer import reset
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import Instead
from chaosproxy.journal.traffic import FaultHit
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from tests.functional.wire_kit import Bench, Client, Peer, Request, ask, bench, plain


class Desk:
    """An upstream that answers one request for each turn that a test gives it."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.most = self._now = 0
        self._turns = asyncio.Semaphore(0)

    def answer(self, count: int = 1) -> None:
        for _ in range(count):
            self._turns.release()

    async def play(self, request: Request, peer: Peer) -> None:
        self.asked.append(request.body)
        self._now += 1
        self.most = max(self.most, self._now)
        await self._turns.acquire()
        self._now -= 1
        await peer.send(plain(request.body))


def apply(at: Bench, lease_s: float = 60, **do: object) -> None:
    """A cap at the listener."""
    rule = Rule.model_validate({"id": "cap", "listeners": ["a"], "do": {"type": "conn.cap", **do}})
    at.proxy.apply([rule], owner="test", lease_s=lease_s, seed=1)


@asynccontextmanager
async def clients(at: Bench, names: str) -> AsyncIterator[list[Client]]:
    """Clients that have asked one after the other, all of them received."""
    opened = []
    for number, name in enumerate(names, at.proxy.open_exchanges + 1):
        opened.append(await Client.connect(at.url))
        await opened[-1].send(ask(name, stream=False))
        await until(partial(_open, at, number))
    yield opened
    for client in opened:
        client.close()


def _open(at: Bench, count: int) -> bool:
    return at.proxy.open_exchanges == count


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what will be."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.005)


def names(desk: Desk) -> str:
    """Who was asked about, in order."""
    return "".join(body.decode().partition('"content": "')[2][0] for body in desk.asked)


async def test_one_more_waits_for_its_turn() -> None:
    """In the order of arrival, never more at once, and every answer is whole."""
    desk = Desk()
    async with bench(desk.play) as at:
        apply(at, connections=2)
        async with clients(at, "abcde") as asking:
            await until(lambda: names(desk) == "ab")
            desk.answer(3)
            await until(lambda: names(desk) == "abcde")
            desk.answer(2)
            answers = [await client.read() for client in asking]
        exchanges = [await at.journal.exchange(number) for number in range(1, 6)]

    assert [answer.status for answer in answers] == [200] * 5
    assert desk.most == 2
    assert sorted(len(exchange.attached) for exchange in exchanges) == [0, 0, 1, 1, 1]
    details = [record.detail for record in at.journal.records if isinstance(record, FaultHit)]
    assert details == ["waited for its turn (2 at once)"] * 3


async def test_one_more_is_refused() -> None:
    """With a reset, until one of those has ended."""
    desk = Desk()
    async with bench(desk.play) as at:
        apply(at, connections=1, excess="refuse")
        async with clients(at, "a") as (first,):
            second = await Client.connect(at.url)
            assert (await second.call(ask("b"))).ended == "reset"
            desk.answer(2)
            assert (await first.read()).status == 200
            assert (await first.call(ask("c", stream=False))).status == 200
        second.close()

    assert names(desk) == "ac"


async def test_who_leaves_the_queue_is_passed_over() -> None:
    """Its place is not lost, and its request is never sent."""
    desk = Desk()
    async with bench(desk.play) as at:
        apply(at)
        async with clients(at, "abc") as asking:
            asking[1].close()
            await until(lambda: at.proxy.open_exchanges == 2)
            desk.answer(2)
            assert (await asking[2].read()).status == 200

    assert names(desk) == "ac"


@pytest.mark.parametrize("gone", ["client", "upstream"])
async def test_who_ends_early_gives_its_seat_back(gone: str) -> None:
    """Whichever side leaves."""
    desk = Desk()
    peers: list[Peer] = []

    async def play(request: Request, peer: Peer) -> None:
        peers.append(peer)
        await desk.play(request, peer)

    async with bench(play) as at:
        apply(at)
        async with clients(at, "ab") as asking:
            await until(lambda: names(desk) == "a")
            if gone == "client":
                asking[0].close()
            else:
                peers[0].reset()
            await until(lambda: names(desk) == "ab")
            desk.answer(2)
            assert (await asking[1].read()).status == 200


async def test_all_who_wait_go_on_when_the_lease_ends() -> None:
    """At once, and a cap of the same name that comes later counts anew."""
    desk = Desk()
    async with bench(desk.play) as at:
        apply(at, lease_s=0.3)
        async with clients(at, "abc") as asking:
            assert names(desk) == "a"
            await until(lambda: names(desk) == "abc")
            apply(at)
            async with clients(at, "de") as later:
                await until(lambda: names(desk) == "abcd")
                desk.answer(5)
                assert [(await client.read()).status for client in asking + later] == [200] * 5


class _ResetAtOnce(Fault):
    """Behind the cap, as it does not say that it stops the upstream."""

    type: ClassVar[str] = "test.reset_at_once"
    room: ClassVar[Room] = Room.ADMISSION
    symptom: ClassVar[str] = "connection reset"

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """All but the first."""
        return Instead(exchange, "reset", reset)


async def test_many_that_end_as_soon_as_it_is_their_turn() -> None:
    """Each passes its seat on, and however many they are the calls do not nest."""
    desk = Desk()
    async with bench(desk.play) as at:
        cap = Rule.model_validate({"id": "cap", "listeners": ["a"], "do": {"type": "conn.cap"}})
        cut = Rule.model_validate({"id": "cut", "listeners": ["a"], "do": _ResetAtOnce(), "match": {"skip": 1}})
        at.proxy.apply([cap, cut], owner="test", lease_s=60, seed=1)
        async with clients(at, "a" * 200) as asking:
            desk.answer()
            ended = [(await client.read()).ended for client in asking]

    assert ended == ["end"] + ["reset"] * 199
    assert len(desk.asked) == 1


async def test_a_stopping_proxy_does_not_ask_for_those_who_wait() -> None:
    """They are cut off."""
    desk = Desk()
    async with bench(desk.play, Limits(stop_s=0.1)) as at:
        apply(at)
        async with clients(at, "abc"):
            await until(lambda: names(desk) == "a")
            await at.proxy.stop()

    assert names(desk) == "a"
