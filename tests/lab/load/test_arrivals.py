"""When calls are meant to be sent."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.experiment.load_settings import LoadSpec
from chaosproxy.lab.load.arrivals import intended_times


def _times(warmup_s: float, lasts_s: float, seed: int = 1, calls: int | None = None, **arrival: Any) -> list[float]:
    spec = LoadSpec.model_validate({"arrival": arrival, "calls": calls})
    return list(intended_times(spec, warmup_s, lasts_s, Random(seed)))


def test_constant_arrivals_are_evenly_spaced() -> None:
    """They begin with the warm-up, so that t = 0 meets a system that is under way."""
    assert _times(1, 2, rate="2/s", process="constant") == [-1, -0.5, 0, 0.5, 1, 1.5]


def test_steps_change_the_rate_where_they_say() -> None:
    """A gap that spans two steps passes partly at each rate."""
    times = _times(1, 4, process="constant", steps=[{"rate": "2/s", "lasts": "2.25s"}, {"rate": "4/s", "lasts": "1s"}])

    assert times[:7] == [-1, -0.5, 0, 0.5, 1, 1.5, 2]
    assert times[7] == pytest.approx(2.25 + 0.5 / 4)
    assert len(times) == 7 + 7


@given(seed=st.integers(0, 1000))
def test_poisson_arrivals_are_those_of_their_seed(seed: int) -> None:
    """The same seed gives the same times, in order and within the run."""
    times = _times(2, 10, seed, rate="8/s")

    assert times == _times(2, 10, seed, rate="8/s")
    assert times == sorted(times)
    assert all(-2 <= at < 10 for at in times)


def test_poisson_arrivals_keep_their_rate() -> None:
    """Gaps are exponential: their mean is 1 / rate and so is their standard deviation."""
    times = _times(0, 1000, rate="10/s")
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)

    assert len(times) == pytest.approx(10_000, rel=0.05)
    assert (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5 == pytest.approx(mean, rel=0.1)


def test_counted_calls_begin_at_the_origin() -> None:
    """A load of so many calls sends exactly those, none of them in the warm-up."""
    times = _times(5, 60, calls=10, rate="5/s")

    assert len(times) == 10
    assert times[0] >= 0
