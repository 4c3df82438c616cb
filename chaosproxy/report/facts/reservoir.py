"""A sample of bounded size of values that stream by; every value has had the same chance to be in it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Generic, TypeVar

from chaosproxy.steady_state.observation import aggregated

_T = TypeVar("_T")


class Reservoir(Generic[_T]):
    """Keeps at most ``size`` values; the same values in the same order leave the same sample."""

    __slots__ = ("_chance", "_size", "kept", "seen")

    def __init__(self, size: int) -> None:
        self._size = size
        self._chance = Random(size)
        self.kept: list[_T] = []
        self.seen = 0
        """How many values there were."""

    def add(self, value: _T) -> None:
        """One more value."""
        self.seen += 1
        if len(self.kept) < self._size:
            self.kept.append(value)
        elif (place := int(self._chance.random() * self.seen)) < self._size:
            self.kept[place] = value

    def __iter__(self) -> Iterator[_T]:
        return iter(self.kept)


def quantile(sample: Reservoir[float], aggregate: str) -> float | None:
    """``p50`` and the like, nearest rank: a value that was really observed; None without any."""
    return aggregated(aggregate, sample.kept) if sample.kept else None
