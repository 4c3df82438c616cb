"""The load of a run that makes none: the end of other people's calls is waited for, but not for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chaosproxy.journal.traffic import Underway
from chaosproxy.runner.looking import LOOK_EACH_S, Looking


def _open(name: str, listener: str = "front", began_at: float = 5.0) -> Underway:
    facts: dict[str, Any] = {"call": None, "method": "POST", "dialect": "openai.chat", "model": "m", "stream": True}
    return Underway(at=10.0, id=name, listener=listener, ordinal=1, began_at=began_at, **facts)


class _There:
    """A proxy whose exchanges under way are told look by look; time passes with the looks."""

    def __init__(self, *looks: list[Underway]) -> None:
        self._looks = list(looks)
        self.asked = 0
        self.written: list[str] = []

    async def underway(self) -> list[Underway]:
        self.asked += 1
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]

    def clock(self) -> float:
        return 10.0 + self.asked * LOOK_EACH_S

    def looking(self, entry: str | None = "front", drain_s: float = 60.0) -> Looking:
        write = self.written.append
        return Looking(self.underway, lambda each: write(each.id), self.clock, entry=entry, drain_s=drain_s)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at once after the other."""
    real = asyncio.sleep
    monkeypatch.setattr("chaosproxy.runner.looking.asyncio.sleep", lambda _: real(0))


def test_the_last_calls_are_waited_for() -> None:
    """And none of them is written down as open: their records tell how they ended."""
    there = _There([_open("a"), _open("b")], [_open("b")], [])

    asyncio.run(there.looking().drained())

    assert (there.asked, there.written) == (4, [])


def test_calls_that_do_not_end() -> None:
    """They are written down when their time is over, with what backends are still asked for."""
    there = _There([_open("a"), _open("x", "primary")])

    asyncio.run(there.looking(drain_s=3 * LOOK_EACH_S).drained())

    assert there.written == ["a", "x"]


@pytest.mark.parametrize("entry", ["front", None])
def test_nobody_waits_for_later_calls(entry: str | None) -> None:
    """Traffic goes on after the run; and without an entry listener there are no calls at all."""
    later = _open("later", began_at=11.0) if entry else _open("x", "primary")
    there = _There([later])

    asyncio.run(there.looking(entry).drained())

    assert (there.asked, there.written) == (2, [later.id])


def test_a_run_that_broke_off() -> None:
    """Nobody waits, and what is open is told."""
    there = _There([_open("a")])

    asyncio.run(there.looking().stop())

    assert (there.asked, there.written) == (1, ["a"])
