"""Timed events of a proxy: never early, in order, each once, and woken by one alarm."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from math import inf, nextafter
from pathlib import Path
from random import Random
from typing import Any

import looptime
import pytest
import uvloop

from chaosproxy.proxy import kernel_alarm
from chaosproxy.proxy.alarms import Alarm, LoopAlarm, open_alarm
from chaosproxy.proxy.kernel_alarm import KernelAlarm
from chaosproxy.proxy.timers import Timers, moment

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
KINDS: dict[str, Callable[[Callable[[], None], Callable[[], float]], Alarm]] = {
    "kernel": lambda ring, _clock: KernelAlarm(ring),
    "loop": LoopAlarm,
}
linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's alarm is Linux's")


class Hands:
    """A clock that stands where it was put, and the alarm that is set on it; it rings when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rings_at: list[float] = []
        self.closed = 0
        self.timers = Timers(lambda: self.now, self._open)

    def _open(self, ring: Callable[[], None], _clock: Callable[[], float]) -> Hands:
        self._ring = ring
        return self

    def set(self, at_s: float) -> None:
        self.rings_at.append(at_s)

    def close(self) -> None:
        self.closed += 1

    def move(self, to: float) -> None:
        """The time comes, and the alarm rings once, whatever it was set to."""
        self.now = to
        self._ring()


def nothing() -> None:
    """Rung."""


def run(loop: str, main: Callable[[], Awaitable[None]]) -> list[dict[str, Any]]:
    """Run to the end in a loop of that kind; what its exception handler was told."""
    told: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        await main()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(watched())
    return told


# by hand --------------------------------------------------------------------------------------------------------------


def test_what_is_due_runs_in_the_order_of_time_and_then_of_asking() -> None:
    """The heap is by time; equals keep their order."""
    hands, ran = Hands(), list[str]()
    for name, at_s in (("c", 3.0), ("a", 1.0), ("b1", 2.0), ("b2", 2.0), ("d", 4.0)):
        hands.timers.call_at(at_s, partial(ran.append, name))
    hands.move(3.0)

    assert ran == ["a", "b1", "b2", "c"]
    assert len(hands.timers) == 1


def test_an_early_alarm_calls_nobody_back() -> None:
    """Not by the smallest step of the clock: the alarm is set again for the same time."""
    hands, ran = Hands(), list[float]()
    hands.timers.call_at(5.0, lambda: ran.append(hands.now))
    hands.move(nextafter(5.0, 0.0))
    assert (ran, hands.rings_at) == ([], [5.0, 5.0])

    hands.move(5.0)
    assert (ran, hands.rings_at[-1]) == ([5.0], inf)


def test_the_alarm_is_set_only_for_an_earlier_time_and_once_for_many() -> None:
    """A call to the kernel costs more than everything else here."""
    hands = Hands()
    for at_s in (5.0, 6.0, 5.0, 4.0, 7.0):
        hands.timers.call_at(at_s, int)
    assert hands.rings_at == [5.0, 4.0]

    hands.move(6.0)
    assert hands.rings_at == [5.0, 4.0, 7.0]


def test_a_callback_may_ask_for_more() -> None:
    """Within one ring the alarm is set once, for the earliest of old and new."""
    hands, ran = Hands(), list[str]()
    hands.timers.call_at(1.0, lambda: hands.timers.call_at(2.0, lambda: ran.append("second")))
    hands.timers.call_at(1.0, lambda: hands.timers.call_at(9.0, lambda: ran.append("third")))
    hands.move(1.0)
    assert hands.rings_at == [1.0, 2.0]

    hands.move(9.0)
    assert ran == ["second", "third"]


def test_a_callback_that_always_asks_for_now_lets_the_others_in() -> None:
    """What is asked for inside a ring comes after all that is due, whatever its time, and in another turn."""
    hands, ran = Hands(), list[str]()

    def again() -> None:
        ran.append("again")
        hands.timers.call_at(-1.0, again)

    hands.timers.call_at(1.0, again)
    hands.timers.call_at(1.0, lambda: ran.append("equal"))
    hands.timers.call_at(2.0, lambda: ran.append("later"))
    hands.move(3.0)
    assert ran == ["again", "equal", "later"]
    assert hands.rings_at[-1] == 3.0

    hands.move(3.0)
    assert ran == ["again", "equal", "later", "again"]


def test_a_cancelled_callback_is_not_called() -> None:
    """Neither one that waits nor one that is due in the same ring; afterwards cancelling does nothing."""
    hands, ran = Hands(), list[str]()

    def cancel_second() -> None:
        ran.append("first")
        second.cancel()

    first = hands.timers.call_at(1.0, cancel_second)
    second = hands.timers.call_at(1.0, lambda: ran.append("second"))
    third = hands.timers.call_at(9.0, lambda: ran.append("third"))
    third.cancel()
    third.cancel()
    assert len(hands.timers) == 2

    hands.move(9.0)
    first.cancel()
    assert (ran, len(hands.timers), hands.rings_at[-1]) == (["first"], 0, inf)


def test_the_alarm_passes_over_what_was_cancelled() -> None:
    """A cancelled callback costs at most the one ring that was already set for it."""
    hands = Hands()
    hands.timers.call_at(1.0, int).cancel()
    hands.timers.call_at(2.0, int).cancel()
    hands.timers.call_at(3.0, int)
    hands.move(1.0)
    assert hands.rings_at == [1.0, 3.0]


def test_cancelled_entries_do_not_pile_up() -> None:
    """However many are cancelled, the heap stays near the number of those that wait; these still run in order."""
    hands, ran = Hands(), list[int]()
    for number in range(10):
        hands.timers.call_at(100.0 - number, partial(ran.append, number))
    for number in range(10_000):
        hands.timers.call_at(50.0 + number, int).cancel()
        assert len(hands.timers) == 10
        assert len(hands.timers._heap) < 150
    hands.move(100.0)
    assert ran == list(range(9, -1, -1))
    assert len(hands.timers) == 0


def test_after_closing_nobody_is_called_back() -> None:
    """The alarm is freed; who asks again gets a new one."""
    hands, ran = Hands(), list[str]()
    old = hands.timers.call_at(1.0, lambda: ran.append("old"))
    hands.timers.close()
    hands.timers.close()
    hands.move(1.0)
    old.cancel()
    assert (ran, hands.closed, len(hands.timers)) == ([], 1, 0)

    hands.timers.call_at(2.0, lambda: ran.append("new"))
    hands.move(2.0)
    assert ran == ["new"]


def test_a_callback_may_close() -> None:
    """Then nothing is set any more, and what was due besides is not called."""
    hands, ran = Hands(), list[str]()
    hands.timers.call_at(1.0, hands.timers.close)
    hands.timers.call_at(1.0, lambda: ran.append("late"))
    hands.move(1.0)
    assert (ran, hands.closed, hands.rings_at) == ([], 1, [1.0])


# in real loops --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("kind", [pytest.param("kernel", marks=linux), "loop"])
def test_never_early_by_the_clock(loop: str, kind: str) -> None:
    """A thousand callbacks within two milliseconds and some in the past: each once, in order, none before its time."""
    ran: list[tuple[float, float]] = []

    async def main() -> None:
        timers, done = Timers(time.monotonic, KINDS[kind]), asyncio.Event()

        def called(at_s: float) -> None:
            ran.append((at_s, time.monotonic()))

        start = time.monotonic()
        times = [start + number % 997 * 2e-6 - 1e-4 for number in range(1000)]
        for at_s in times:
            timers.call_at(at_s, partial(called, at_s))
        timers.call_at(start + 0.003, done.set)
        await done.wait()
        timers.close()
        assert [at_s for at_s, _ in ran] == sorted(times)

    assert run(loop, main) == []
    assert min(called_s - at_s for at_s, called_s in ran) >= 0


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("kind", [pytest.param("kernel", marks=linux), "loop"])
def test_one_after_the_other(loop: str, kind: str) -> None:
    """Each callback asks for the next one: the alarm rings again and again."""
    early_s: list[float] = []

    async def main() -> None:
        timers, done = Timers(time.monotonic, KINDS[kind]), asyncio.Event()

        def step(at_s: float) -> None:
            early_s.append(at_s - time.monotonic())
            if len(early_s) == 100:
                done.set()
            else:
                after(time.monotonic() + 0.0003)

        def after(at_s: float) -> None:
            timers.call_at(at_s, lambda: step(at_s))

        after(time.monotonic())
        await done.wait()
        timers.close()

    assert run(loop, main) == []
    assert max(early_s) <= 0


@pytest.mark.parametrize("loop", LOOPS)
def test_a_callback_that_raises_stands_alone(loop: str) -> None:
    """The loop's exception handler is told, and the others run, those that were due with it and later ones."""
    ran: list[str] = []

    async def main() -> None:
        timers, done = Timers(time.monotonic), asyncio.Event()
        now = time.monotonic()
        timers.call_at(now, lambda: 1 / 0)
        timers.call_at(now, lambda: ran.append("same"))
        timers.call_at(now + 0.001, lambda: ran.append("later"))
        timers.call_at(now + 0.002, done.set)
        await done.wait()
        timers.close()

    (told,) = run(loop, main)
    assert isinstance(told["exception"], ZeroDivisionError)
    assert ran == ["same", "later"]


def test_an_exit_leaves_the_loop_and_the_rest_waits_on() -> None:
    """SystemExit is not for the exception handler; the alarm is set all the same."""
    hands, ran = Hands(), list[str]()

    def leave() -> None:
        raise SystemExit(3)

    hands.timers.call_at(1.0, leave)
    hands.timers.call_at(1.0, lambda: ran.append("rest"))
    with pytest.raises(SystemExit):
        hands.move(1.0)
    assert hands.rings_at == [1.0, 1.0]

    hands.move(1.0)
    assert ran == ["rest"]


@linux
@pytest.mark.parametrize("loop", LOOPS)
def test_closing_frees_the_descriptor(loop: str) -> None:
    """One descriptor for however many callbacks, none before the first and none afterwards."""

    async def main() -> None:
        before = open_descriptors()
        timers = Timers(time.monotonic)
        assert open_descriptors() == before
        for number in range(1000):
            timers.call_at(time.monotonic() + 60 + number, int)
        assert open_descriptors() == before + 1
        timers.close()
        assert open_descriptors() == before

    assert run(loop, main) == []


def open_descriptors() -> int:
    """Of this process; the one that lists them is not counted."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1


@linux
async def test_the_kernel_rings_for_the_real_clock() -> None:
    """It knows the monotonic clock and no other."""
    for clock, kind in ((time.monotonic, KernelAlarm), (asyncio.get_running_loop().time, LoopAlarm)):
        alarm = open_alarm(nothing, clock)
        assert type(alarm) is kind
        alarm.close()


@linux
@pytest.mark.parametrize("refusal", [OSError(1, "not permitted"), AttributeError("timerfd_create")])
@pytest.mark.interpreted
async def test_a_kernel_that_refuses(monkeypatch: pytest.MonkeyPatch, refusal: Exception) -> None:
    """A sandbox or an old C library: the loop's timer takes its place."""

    def refuse() -> int:
        raise refusal

    monkeypatch.setattr(kernel_alarm, "_create", refuse)
    assert isinstance(open_alarm(nothing, time.monotonic), LoopAlarm)


@linux
async def test_a_loop_that_watches_no_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's timer takes its place, and the descriptor does not stay open."""

    def refuse(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", refuse)
    before = open_descriptors()
    assert isinstance(open_alarm(nothing, time.monotonic), LoopAlarm)
    assert open_descriptors() == before


@linux
async def test_a_descriptor_that_does_not_exist() -> None:
    """What the kernel refuses is an OSError with its reason, from the C library too."""
    with pytest.raises(OSError, match="Bad file descriptor"):
        kernel_alarm._set(2**20, 1)


def test_virtual_time() -> None:
    """On a loop that jumps when it is idle, an hour of timers passes at once, to the microsecond."""
    ran: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        timers, done, start = Timers(loop.time), asyncio.Event(), loop.time()
        for at_s in (3600.0, 0.005, 30.0):
            timers.call_at(start + at_s, lambda: ran.append(loop.time() - start))
        timers.call_at(start + 3600, done.set)
        await done.wait()
        timers.close()

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main())
    assert ran == pytest.approx([0.005, 30.0, 3600.0], abs=1e-5)


def test_a_moment_is_never_too_early() -> None:
    """Where rounding takes a bit from the sum, it is put back, and no more than that."""
    dice = Random(7)
    rounded = 0
    for _ in range(1000):
        began_at, after_s = round(dice.random() * 10_000, 6), round(dice.random(), 3)
        at = moment(began_at, after_s)
        assert at - began_at >= after_s
        assert at in {began_at + after_s, nextafter(began_at + after_s, inf)}
        rounded += at != began_at + after_s
    assert 0 < rounded < 1000


def test_virtual_time_that_is_told_from_a_beginning() -> None:
    """Woken once for each wait: the clock stands still meanwhile, so a bit too early would be too early for ever."""
    dice = Random(7)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        timers = Timers(loop.time)
        for _ in range(300):
            came, began_at, after_s = asyncio.Event(), loop.time(), round(dice.random(), 3)
            timers.call_at(moment(began_at, after_s), came.set)
            await came.wait()
            assert loop.time() - began_at >= after_s
        timers.close()

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main())
