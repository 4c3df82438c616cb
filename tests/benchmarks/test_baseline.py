from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.baseline import Ratio, compare, load, save, tolerance
from benchmarks.data_plane import verdicts
from benchmarks.results import Spread

CALM = Ratio("cpu", Spread(1.0, 0.98, 1.02))
WIDE = Ratio("p99", Spread(1.0, 0.6, 1.8))
RATE = Ratio("rate", Spread(0.4, 0.39, 0.41), at_least=True)


def _now(ratio: Ratio, value: float) -> Ratio:
    return Ratio(ratio.name, Spread(value, value, value), at_least=ratio.at_least)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """Names, spreads and which way is better."""
    file = tmp_path / "baseline.json"
    save([CALM, RATE], {"cpu": "a processor"}, file)

    assert load(file) == [CALM, RATE]


@pytest.mark.parametrize(
    ("stored", "value", "regression"),
    [
        (CALM, 1.24, False),
        (CALM, 1.26, True),
        (CALM, 0.2, False),
        (WIDE, 2.1, False),
        (WIDE, 2.3, True),
        (RATE, 0.33, False),
        (RATE, 0.31, True),
        (RATE, 4.0, False),
        (RATE, 0.0, True),
    ],
)
def test_worse_than_allowed_is_a_regression(stored: Ratio, value: float, *, regression: bool) -> None:
    """A quarter, or twice the half of the baseline's own spread where that is more; better is never one."""
    (found,) = compare([stored], [_now(stored, value)])

    assert found.is_regression is regression


def test_the_tolerance_follows_the_spread() -> None:
    """Half of 0.6 to 1.8 is 0.6, and twice that is allowed."""
    assert [tolerance(CALM), tolerance(WIDE)] == pytest.approx([0.25, 1.2])


def test_only_what_both_have_is_compared() -> None:
    """A fault that is new has no baseline yet, and a peer that is missing has no ratio now."""
    assert [finding.name for finding in compare([CALM, WIDE], [_now(WIDE, 1.0), _now(RATE, 1.0)])] == ["p99"]


def test_the_table_names_what_is_worse() -> None:
    """One line for each ratio."""
    lines = verdicts(compare([CALM, RATE], [_now(CALM, 1.5), _now(RATE, 0.4)])).splitlines()

    assert lines[2:] == ["| cpu | 1.00 | 1.50 | +50% | 25% | WORSE |", "| rate | 0.40 | 0.40 | +0% | 25% | ok |"]
