from __future__ import annotations

from pathlib import Path

from benchmarks import exactness, page
from benchmarks.delays import FAULTS, NONE
from benchmarks.growth import Curve, Growth
from benchmarks.load import Load
from benchmarks.ratios import judge_delays
from benchmarks.results import Spread
from benchmarks.ways import DIRECT, OURS, TOXIPROXY
from benchmarks.words import cell, number
from tests.benchmarks.run_of import results, sample


def _delays() -> exactness.Results:
    found = exactness.Results(exactness.FULL)
    found.others[exactness.UVLOOP].append(1.0)
    for fault, delay_ms, late_us in ((NONE, 0, 9_000.0), (FAULTS[0], 5, 300.0), (FAULTS[2], 50, 700.0)):
        row = exactness.Row(exactness.UVLOOP, fault, delay_ms)
        found.samples[row].append(exactness.Sample(100, late_us, 2 * late_us, 5.0, 3 * late_us))
    return found


def _text() -> str:
    run = results(
        "200 streams",
        Load(200),
        {DIRECT: [sample()], TOXIPROXY: [sample()], OURS: [sample(proxy_cpu_s=0.1), sample(proxy_cpu_s=0.14)]},
    )
    growth = Growth("event size", "byte", "us", (Curve("chaosproxy", (1.0, 2.0, 3.0), (2.0, 4.0, 6.0)),))
    return page.tables(run, [growth], _delays())


def test_a_bar_has_its_figures_and_its_verdict() -> None:
    """Unit, ours, the peer's, the ratio."""
    assert (
        "| CPU per event, 200 streams | <= 1 x Toxiproxy | us | 6.00 (5.00 to 7.00) | 10.0 Toxiproxy | 0.50 | met |"
    ) in _text()


def test_delays_are_judged_by_the_worst_row() -> None:
    """Rows without a delay are no delay."""
    text = _text()

    assert (
        "| error of an injected delay p50 (worst: time.stall 50 ms) | <= 0.6 ms | ms | 0.70 |  |  | not met |" in text
    )
    assert (
        "| the earliest of all injected delays (worst: time.first_token 5 ms) | >= 0 ms | ms | 0.01 |  |  | met" in text
    )


def test_a_delay_that_nobody_saw_meets_no_bar() -> None:
    """It has a row of its own."""
    delays = _delays()
    delays.failures[exactness.Row(exactness.UVLOOP, FAULTS[1], 500)] = "no delayed event arrived"

    (judged, *_) = judge_delays(delays)

    assert (judged.what, judged.verdict) == (
        "time.inter_token 500 ms, chaosproxy, uvloop",
        "not met (no delayed event arrived)",
    )


def test_growth_is_a_bar_and_a_sentence() -> None:
    """With the plot."""
    text = _text()

    assert "| growth with event size | <= 1.1 (linear: 1) | exponent | 1.00 |  |  | met |" in text
    assert f"]({page.PLOT.name})" in text
    assert "- event size: linear or better." in text


def test_the_page_says_how_calm_it_was() -> None:
    """Repeated turns, and what others took in the rest."""
    assert "in the turns that count they took up to 5%." in _text()


def test_the_tables_stand_between_the_markers(tmp_path: Path) -> None:
    """Writing twice leaves one copy, and the words around it."""
    file = tmp_path / "performance.md"
    file.write_text(f"before\n\n{page.BEGIN}\nold\n{page.END}\n\nafter\n", encoding="utf-8")

    page.write("new", file)
    page.write("new", file)

    assert file.read_text(encoding="utf-8") == f"before\n\n{page.BEGIN}\n\nnew\n\n{page.END}\n\nafter\n"


def test_the_page_has_a_place_for_the_tables() -> None:
    """The markers stand in docs/performance.md, once each and in this order."""
    text = page.PAGE.read_text(encoding="utf-8")

    assert (text.count(page.BEGIN), text.count(page.END)) == (1, 1)
    assert text.index(page.BEGIN) < text.index(page.END)


def test_figures_have_three_digits_that_matter() -> None:
    """A spread is shown where there is one."""
    assert [number(value) for value in (0.123, 12.34, 123.4, 12_345.6)] == ["0.12", "12.3", "123", "12,346"]
    assert cell(Spread(1.0, 1.0, 1.0)) == "1.00"
    assert cell(Spread(2.0, 1.0, 3.0)) == "2.00 (1.00 to 3.00)"
    assert cell(None) == "not measured"
