"""The offset of another clock, under a clock that the test moves."""

from __future__ import annotations

from random import Random

import pytest

from chaosproxy.runner.clocks import compare


class World:
    """Two clocks, and a network that takes its time on the way there and on the way back."""

    def __init__(self, offset_s: float, delays: list[tuple[float, float]]) -> None:
        self.now = 100.0
        self._offset_s = offset_s
        self._delays = iter(delays)

    def clock(self) -> float:
        return self.now

    async def ask(self) -> float:
        there, back = next(self._delays)
        self.now += there
        theirs = self.now + self._offset_s
        self.now += back
        return theirs


@pytest.mark.parametrize("seed", range(20))
async def test_the_truth_lies_within_the_error(seed: int) -> None:
    """However lopsided the ways are."""
    rng = Random(seed)
    offset_s = rng.uniform(-1e6, 1e6)
    world = World(offset_s, [(rng.expovariate(50), rng.expovariate(5)) for _ in range(8)])
    seen = await compare(world.ask, world.clock)

    assert abs(seen.offset_s - offset_s) <= seen.error_s + 1e-9


async def test_the_quickest_answer_counts() -> None:
    """A slow one tells less."""
    world = World(7.0, [(1.0, 3.0), (0.01, 0.01), (2.0, 0.0)])
    seen = await compare(world.ask, world.clock, looks=3)

    assert seen.offset_s == pytest.approx(7.0)
    assert seen.error_s == pytest.approx(0.01)
