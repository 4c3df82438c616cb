"""The stored ratios of a full run, and whether another run is worse: benchmarks/baseline.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.results import Spread

FILE = Path(__file__).with_name("baseline.json")
TOLERANCE_MIN = 0.25
"""A ratio may be worse by this share, or by twice the spread of its rounds in the baseline where that is more: two
runs on one machine differ by less, and what costs a function call per event shows."""
SPREADS = 2.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours against something of the same round; ``at_least`` where more is better."""

    name: str
    spread: Spread
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One ratio beside the stored one; ``worse_by`` is positive for worse, as a share of the stored median."""

    name: str
    stored: float
    now: float
    worse_by: float
    tolerance: float

    @property
    def is_regression(self) -> bool:
        """Whether it is worse by more than it may."""
        return self.worse_by > self.tolerance


def tolerance(stored: Ratio) -> float:
    """How much worse a ratio may be, as a share of the stored median."""
    spread = stored.spread
    half = (spread.greatest - spread.least) / 2 / spread.median if spread.median else 0.0
    return max(TOLERANCE_MIN, SPREADS * half)


def compare(stored: Sequence[Ratio], measured: Sequence[Ratio]) -> list[Finding]:
    """Every ratio that both have."""
    now = {ratio.name: ratio for ratio in measured}
    return [_finding(ratio, now[ratio.name].spread.median) for ratio in stored if ratio.name in now]


def _finding(stored: Ratio, now: float) -> Finding:
    """More is worse, or its reciprocal where more is better: half as much is worse by 100 %."""
    before = stored.spread.median
    quotient = (before / now if now else float("inf")) if stored.at_least else (now / before if before else 1.0)
    return Finding(stored.name, before, now, quotient - 1, tolerance(stored))


def save(ratios: Sequence[Ratio], about: dict[str, Any], file: Path = FILE) -> None:
    """Write the ratios of a full run, and what it was measured on."""
    values = {"about": about, "ratios": [asdict(ratio) for ratio in ratios]}
    file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def load(file: Path = FILE) -> list[Ratio]:
    """The stored ratios. Raises FileNotFoundError."""
    values = json.loads(file.read_text(encoding="utf-8"))
    return [Ratio(found["name"], Spread(**found["spread"]), at_least=found["at_least"]) for found in values["ratios"]]
