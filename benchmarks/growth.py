"""How cost grows with size: curves from the samples, and what their shape says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression

from benchmarks.plan import (
    RULES_AT_WORK,
    RULES_AT_WORK_TURN,
    RULES_LOADED,
    RULES_LOADED_TURN,
    Scale,
    bytes_turn,
    streams_turn,
)
from benchmarks.results import Figure, Results, Spread, cpu_us_per_event, cpu_us_per_request
from benchmarks.ways import OURS, RELAY, TOXIPROXY, Way

EXPONENT_MAX = 1.1
"""Cost ~ size ** exponent: 1 is linear, and less is better than that."""
LARGEST = 3
"""The sizes that decide it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A fit ``fixed + per_unit * size``; ``r2`` is the share of the variance that it explains."""

    fixed: float
    per_unit: float
    r2: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Cost of one way by size, medians."""

    name: str
    sizes: tuple[float, ...]
    costs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Growth:
    """Curves with the same axes; the first is ours."""

    title: str
    unit: str
    """Of the size, in the singular."""
    cost_unit: str
    curves: tuple[Curve, ...]

    @property
    def exponent(self) -> float | None:
        """Of ours at the large end, where a fixed part hides nothing; None with fewer than three sizes."""
        return exponent(self.curves[0].sizes[-LARGEST:], self.curves[0].costs[-LARGEST:])

    @property
    def exponent_spread(self) -> Spread | None:
        """The same as a figure of a table."""
        found = self.exponent
        return None if found is None else Spread(found, found, found)

    @property
    def is_linear(self) -> bool | None:
        """Whether ours grows no faster than its size; None where that cannot be said."""
        found = self.exponent
        return None if found is None else found <= EXPONENT_MAX

    @property
    def words(self) -> str:
        """What the fit says."""
        found, (ours, *_) = self.exponent, self.curves
        if found is None:
            return f"{self.title}: too few sizes for a fit."
        line = fit_line(ours.sizes, ours.costs)
        kind = "linear or better" if self.is_linear else "faster than linear"
        return (
            f"{self.title}: {kind}. {max(line.fixed, 0.0):.3g} {self.cost_unit}, and {line.per_unit:.3g} more per"
            f" {self.unit} (R2 {line.r2:.3f}); at the large end it grows as size to the power of {found:.2f}."
        )


def fit_line(sizes: Sequence[float], costs: Sequence[float]) -> Line:
    """Least squares; costs must not be all the same size."""
    slope, intercept = linear_regression(sizes, costs)
    mean = sum(costs) / len(costs)
    spread = sum((cost - mean) ** 2 for cost in costs)
    left = sum((cost - intercept - slope * size) ** 2 for size, cost in zip(sizes, costs, strict=True))
    return Line(intercept, slope, 1 - left / spread if spread else 1.0)


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float | None:
    """The slope between logarithms; None with fewer than three points above zero."""
    points = [(math.log(size), math.log(cost)) for size, cost in zip(sizes, costs, strict=True) if size > 0 < cost]
    if len(points) < 3:
        return None
    return linear_regression(*zip(*points, strict=True)).slope


def growths(results: Results, scale: Scale) -> list[Growth]:
    """What was measured of cost against size."""
    found = [
        _growth(
            "streams of 5 events/s", "stream", "us of CPU per second", results,
            {way: {count: streams_turn(count) for count in scale.stream_counts} for way in (OURS, TOXIPROXY)},
            lambda sample: sample.proxy_cpu_s / sample.seconds * 1e6,
        ),
        _growth(
            "event size", "byte", "us of CPU per event", results,
            {way: {size: bytes_turn(size) for size in scale.event_bytes} for way in (OURS, TOXIPROXY, RELAY)},
            cpu_us_per_event,
        ),
        _rules("rules loaded that match nothing", "us of CPU per request", results, RULES_LOADED_TURN, RULES_LOADED,
               cpu_us_per_request),
        _rules("faults at work in a stream", "us of CPU per event", results, RULES_AT_WORK_TURN, RULES_AT_WORK,
               cpu_us_per_event),
    ]  # fmt: skip
    return [growth for growth in found if growth is not None]


def _growth(
    title: str, unit: str, cost_unit: str, results: Results, ways: dict[Way, dict[int, str]], figure: Figure
) -> Growth | None:
    curves = []
    for way, turns in ways.items():
        points = {size: results.spread(turn, way, figure) for size, turn in turns.items()}
        curves += _curve(way.name, points)
    return Growth(title, unit, cost_unit, tuple(curves)) if curves and curves[0].name == OURS.name else None


def _rules(
    title: str, cost_unit: str, results: Results, turn: str, ways: dict[int, Way], figure: Figure
) -> Growth | None:
    curves = _curve(OURS.name, {count: results.spread(turn, way, figure) for count, way in ways.items()})
    return Growth(title, "rule", cost_unit, tuple(curves)) if curves else None


def _curve(name: str, points: dict[int, Spread | None]) -> list[Curve]:
    found = {size: spread.median for size, spread in points.items() if spread}
    return [Curve(name, tuple(found), tuple(found.values()))] if found else []
