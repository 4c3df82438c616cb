"""What a component says about itself."""

from __future__ import annotations

import pytest

from chaosproxy.lab.availability.component import RECENT_S, Component


class Clock:
    """Stands where it is put."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_counts_rates_and_times_of_the_last_seconds() -> None:
    """Ten operations of 100 ms in five seconds are two a second."""
    clock = Clock()
    component = Component("downloader", clock)
    for _ in range(10):
        with component.operation():
            clock.now += 0.1
    clock.now = 100 + RECENT_S

    status = component.status()

    assert (status["operations"], status["operations_per_second"], status["mean_ms"]) == (10, 2.0, 100.0)
    clock.now += RECENT_S
    assert component.status()["operations_per_second"] == 0
    assert component.status()["mean_ms"] is None


def test_it_is_affected_until_an_operation_succeeds() -> None:
    """And says how often it was."""
    component = Component("usage", Clock())
    for _ in range(2):
        with pytest.raises(ValueError), component.operation():  # noqa: PT011 - whatever it is
            raise ValueError
    assert component.status()["state"] == "affected"

    with component.operation():
        pass

    status = component.status()
    assert (status["state"], status["failures"], status["times_affected"]) == ("ok", 2, 1)
