"""The benchmark of the data plane, as small as it can be."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import page
from benchmarks.data_plane import measure
from benchmarks.processes import BenchmarkFailed, Load, build
from benchmarks.results import DIRECT, FAULTS, JSON_LOAD, PROXIED, Results, Scale

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="llmbench needs Linux (epoll)"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="llmbench needs a C compiler"),
]
SCALE = Scale(rounds=1, seconds=0.3, events=10, streams=(3,), fault_streams=3, memory_streams=3)
STREAMS = Load(3)


@pytest.fixture(scope="module")
def results() -> Results:
    """One round with three streams."""
    return measure(SCALE)


def test_every_way_is_measured_once_per_round(results: Results) -> None:
    """Direct, proxied, each fault, and plain JSON both ways."""
    streamed = {(way, STREAMS) for way in (DIRECT, PROXIED, *FAULTS)}

    assert set(results.samples) == streamed | {(DIRECT, JSON_LOAD), (PROXIED, JSON_LOAD)}
    assert {len(samples) for samples in results.samples.values()} == {SCALE.rounds}


def test_events_arrive_and_none_is_lost(results: Results) -> None:
    """Whatever the way: streams are under way, answers are whole, and nothing fails."""
    for (way, load), (sample,) in results.samples.items():
        assert (sample.events if load.streamed else sample.answers) > 0, way
        assert (sample.errors, sample.incomplete) == (0, 0), way


def test_what_the_proxy_costs_is_seen(results: Results) -> None:
    """Its CPU and memory are those of a process that worked; direct costs no proxy anything."""
    (direct,), (proxied,) = results.samples[DIRECT, JSON_LOAD], results.samples[PROXIED, JSON_LOAD]

    assert (direct.proxy_cpu_s, direct.proxy_rss_kib) == (0.0, 0)
    assert 0 < proxied.proxy_cpu_s < 10
    assert 10_000 < proxied.proxy_rss_kib < 1_000_000
    assert proxied.first_byte_p50_us > direct.first_byte_p50_us > 0


def test_the_tables_stand_between_the_markers(results: Results, tmp_path: Path) -> None:
    """Writing twice leaves one copy, and the words around it."""
    file = tmp_path / "performance.md"
    file.write_text(f"before\n\n{page.BEGIN}\nold\n{page.END}\n\nafter\n", encoding="utf-8")
    text = page.tables(results)

    page.write(text, file)
    page.write(text, file)

    assert file.read_text(encoding="utf-8") == f"before\n\n{page.BEGIN}\n\n{text}\n\n{page.END}\n\nafter\n"
    assert "| 3 | 150 |" in text


def test_without_a_compiler_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: a reason."""
    monkeypatch.setenv("PATH", os.fspath(tmp_path))

    with pytest.raises(BenchmarkFailed, match="no C compiler"):
        build(tmp_path)
