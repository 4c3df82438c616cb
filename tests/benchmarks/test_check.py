from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import data_plane
from benchmarks.baseline import Ratio, save
from benchmarks.load import Load
from benchmarks.plan import CHECK
from benchmarks.results import Results, Spread
from benchmarks.ways import OURS, TOXIPROXY
from tests.benchmarks.run_of import results, sample

WHAT = "CPU per event, 200 streams"


def _run(proxy_cpu_s: float) -> Results:
    return results("200 streams", Load(200), {TOXIPROXY: [sample()], OURS: [sample(proxy_cpu_s=proxy_cpu_s)]})


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A baseline of one ratio, 0.5."""
    file = tmp_path / "baseline.json"
    save([Ratio(WHAT, Spread(0.5, 0.5, 0.5))], {}, file)
    return file


@pytest.mark.parametrize(("proxy_cpu_s", "code", "word"), [(0.1, 0, "| ok |"), (0.12, 0, "| ok |"), (0.13, 1, "WORSE")])
def test_the_exit_code_tells_a_regression(
    stored: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    proxy_cpu_s: float,
    code: int,
    word: str,
) -> None:
    """A quarter more than the baseline is one, a fifth is not; the table says which ratio."""
    monkeypatch.setattr(data_plane, "run", lambda _: _run(proxy_cpu_s))

    assert data_plane.check(CHECK, stored) == code

    out = capsys.readouterr().out
    assert f"| {WHAT} | 0.50 |" in out
    assert word in out


def test_nothing_compared_is_no_pass(
    stored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a peer there is no ratio, and what was not measured is named."""
    monkeypatch.setattr(data_plane, "run", lambda _: results("200 streams", Load(200), {OURS: [sample()]}))

    assert data_plane.check(CHECK, stored) == 1
    assert f"not measured: {WHAT}" in capsys.readouterr().out


def test_without_a_baseline_it_says_what_writes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And measures nothing."""
    assert data_plane.check(CHECK, tmp_path / "baseline.json") == 1
    assert "`make bench` writes it" in capsys.readouterr().err
