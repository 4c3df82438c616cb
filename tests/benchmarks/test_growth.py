from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.growth import Curve, Growth, exponent, fit_line, growths
from benchmarks.load import Load
from benchmarks.plan import FULL, RULES_LOADED, RULES_LOADED_TURN
from benchmarks.plots import draw
from tests.benchmarks.run_of import results, sample

SIZES = (1.0, 10.0, 100.0, 1000.0)


def _growth(costs: tuple[float, ...]) -> Growth:
    return Growth("streams", "stream", "us", (Curve("chaosproxy", SIZES, costs),))


def test_a_line_is_found() -> None:
    """Fixed part, slope, and that it explains everything."""
    line = fit_line(SIZES, [5 + 2 * size for size in SIZES])

    assert [line.fixed, line.per_unit, line.r2] == pytest.approx([5.0, 2.0, 1.0])


def test_a_curve_is_no_line() -> None:
    """Squares leave a part unexplained."""
    assert fit_line(SIZES, [size**2 for size in SIZES]).r2 < 0.999


def test_a_power_is_found() -> None:
    """Of any prefactor; with too few points there is none."""
    assert exponent(SIZES, [3 * size**1.5 for size in SIZES]) == pytest.approx(1.5)
    assert exponent(SIZES[:2], (1.0, 2.0)) is None
    assert exponent(SIZES, (0.0, 0.0, 1.0, 2.0)) is None


@pytest.mark.parametrize(
    ("costs", "linear"),
    [
        (tuple(5 + 2 * size for size in SIZES), True),
        (tuple(7.0 for _ in SIZES), True),
        (tuple(size**1.05 for size in SIZES), True),
        (tuple(size**1.2 for size in SIZES), False),
        (tuple(1000 + size**2 for size in SIZES), False),
    ],
)
def test_the_large_end_decides(costs: tuple[float, ...], *, linear: bool) -> None:
    """A large fixed part does not hide that the rest grows too fast."""
    growth = _growth(costs)

    assert growth.is_linear is linear
    assert ("linear or better" if linear else "faster than linear") in growth.words


def test_the_words_say_what_a_unit_costs() -> None:
    """Units, the fixed part and the slope."""
    assert _growth(tuple(5 + 2 * size for size in SIZES)).words.startswith(
        "streams: linear or better. 5 us, and 2 more per stream (R2 1.000)"
    )


def test_two_sizes_make_no_statement() -> None:
    """As in a quick run."""
    growth = Growth("rules", "rule", "us", (Curve("chaosproxy", (1.0, 100.0), (1.0, 3.0)),))

    assert growth.is_linear is None
    assert growth.words == "rules: too few sizes for a fit."


def test_samples_become_a_curve() -> None:
    """Medians by size; what was not measured is left out."""
    run = results(
        RULES_LOADED_TURN,
        Load(32, streamed=False),
        {
            way: [sample(proxy_cpu_s=count * 1e-4), sample(proxy_cpu_s=count * 1e-4)]
            for count, way in RULES_LOADED.items()
        },
    )

    (growth,) = growths(run, FULL)

    assert growth.curves[0].sizes == tuple(RULES_LOADED)
    assert growth.curves[0].costs == pytest.approx(list(RULES_LOADED))
    assert growth.exponent == pytest.approx(1.0)


def test_the_plot_is_small_and_has_no_background(tmp_path: Path) -> None:
    """So that it can be read on light and on dark; the same figures give the same file."""
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    growth = _growth((1.0, 2.0, 3.0, 4.0))

    draw([growth, growth, growth], first)
    draw([growth, growth, growth], second)

    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) < 100_000
    assert "fill: #ffffff" not in first.read_text(encoding="utf-8")
    words = "".join(ET.parse(first).getroot().itertext())  # noqa: S314 - we wrote it
    assert "streams" in words
    assert "chaosproxy" in words
