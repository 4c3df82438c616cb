"""Virtual time jumps when all are waiting, sockets included."""

from __future__ import annotations

import asyncio
import selectors
import time

import pytest

from chaosproxy.errors import UserError
from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.lab.backend import Backend
from chaosproxy.testing import virtual_time

DAY_S = 86_400.0


async def _sleep() -> float:
    began_s = asyncio.get_running_loop().time()
    await asyncio.sleep(DAY_S)
    return asyncio.get_running_loop().time() - began_s


def test_a_day_passes_in_no_time() -> None:
    """The loop's own clock says that it has passed, and the machine's that it has not."""
    began_s = time.monotonic()

    assert virtual_time().run(_sleep()) == pytest.approx(DAY_S)
    assert time.monotonic() - began_s < DAY_S / 2


async def test_it_begins_and_ends_inside_of_a_running_loop() -> None:
    """Afterwards a timer is one of real time again."""
    began_s = time.monotonic()
    with virtual_time():
        assert await _sleep() == pytest.approx(DAY_S)
    await asyncio.sleep(0.01)

    assert 0.01 <= time.monotonic() - began_s < DAY_S / 2


async def _ask() -> bytes:
    """The first line of an answer that may take a millisecond."""
    async with Backend(BackendSettings(tokens=1, ttft=60.0)) as backend:
        host, port = backend.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(0.001):
            line = await reader.readline()
        writer.close()
        return line


def test_bytes_on_the_way_are_waited_for() -> None:
    """A server in the same loop answers before any timeout, however short."""
    assert virtual_time().run(_ask()) == b"HTTP/1.1 200 OK\r\n"


def test_a_busy_machine_hands_over_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a poll finds nothing although bytes are on the way, no time passes before they are there."""

    class Late(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            return [] if timeout == 0 else super().select(timeout)

    monkeypatch.setattr(selectors, "DefaultSelector", Late)

    assert virtual_time().run(_ask()) == b"HTTP/1.1 200 OK\r\n"


def test_a_deadline_is_met_to_the_microsecond() -> None:
    """What waits for ever is given up at its deadline, and not a moment later."""

    async def give_up() -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await loop.create_future()
        return loop.time() - began_s

    assert virtual_time().run(give_up()) == pytest.approx(60, abs=1e-5)


def test_a_loop_of_another_library_is_refused_in_words() -> None:
    """Uvloop's clock cannot be set."""
    uvloop = pytest.importorskip("uvloop")

    async def enter() -> None:
        with virtual_time():
            pass

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, pytest.raises(UserError, match="asyncio's own"):
        runner.run(enter())
