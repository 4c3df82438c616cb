"""The benchmark of the data plane, as small as it can be."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import hot_spots
from benchmarks.load import Load, Sample
from benchmarks.processes import BenchmarkFailed, build
from benchmarks.results import Results, Turn
from benchmarks.rounds import measure
from benchmarks.ways import DIRECT, OURS, RELAY, ours

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="llmbench needs Linux (epoll)"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="llmbench needs a C compiler"),
]
SECONDS = 0.3
STREAMS, PLAIN, PAIRED, IDLE, LARGE, BROKEN = "streams", "plain", "paired", "idle", "large", "broken"
WAYS = (DIRECT, RELAY, OURS)
STALL = ours("stall", "time.stall hold=0s")
TURNS = [
    Turn(STREAMS, Load(3, events=10), (*WAYS, STALL), SECONDS, rounds=2, fresh=frozenset({STALL})),
    Turn(PLAIN, Load(2, streamed=False), WAYS, SECONDS, rounds=1),
    Turn(PAIRED, Load(2, events=2, interval_ms=2), (OURS,), SECONDS, rounds=1, paired=True),
    Turn(IDLE, Load(20, events=2, idle_s=600.0), WAYS, SECONDS, rounds=1, spread_s=0.2),
    Turn(LARGE, Load(2, events=5, size=100_000), WAYS, SECONDS, rounds=1),
    Turn(BROKEN, Load(2, events=5), (DIRECT, ours("typo", "sse.dorp")), SECONDS, rounds=1),
]


@pytest.fixture(scope="module")
def results() -> Results:
    """Every kind of turn, once or twice."""
    return measure([TURNS], repeat_s=0.0)


def _all(results: Results) -> list[tuple[str, str, Sample]]:
    return [(turn, way.name, sample) for (turn, way), found in results.samples.items() for sample in found.values()]


def test_every_way_is_measured_in_every_round(results: Results) -> None:
    """And nothing else."""
    rounds = {(turn, way): len(found) for (turn, way), found in results.samples.items()}
    assert rounds == {(turn.name, way): turn.rounds for turn in TURNS for way in turn.ways if "typo" not in way.name}


def test_events_arrive_and_none_is_lost(results: Results) -> None:
    """Whatever the way: streams are under way, answers are whole, and nothing fails."""
    for turn, way, sample in _all(results):
        assert (sample.errors, sample.incomplete) == (0, 0), (turn, way)
        if turn == PLAIN:
            assert sample.answers > 0, way
        elif turn != IDLE:
            assert sample.events > 0, (turn, way)


def test_what_the_proxy_costs_is_seen(results: Results) -> None:
    """Its CPU and memory are those of a process that worked; direct costs no proxy anything."""
    direct, proxied = (results.samples[PLAIN, way][0] for way in (DIRECT, OURS))

    assert (direct.proxy_cpu_s, direct.proxy_rss_kib) == (0.0, 0)
    assert 0 < proxied.proxy_cpu_s < 10
    assert 10_000 < proxied.proxy_rss_kib < 1_000_000
    assert proxied.first_byte_p50_us > direct.first_byte_p50_us > 0


def test_silent_streams_stay_open(results: Results) -> None:
    """All of them, after their first event."""
    for way in WAYS:
        assert results.samples[IDLE, way][0].open == 20


def test_a_pair_tells_what_the_proxy_adds(results: Results) -> None:
    """The proxy takes longer than no proxy, by less than a second."""
    sample = results.samples[PAIRED, OURS][0]

    assert 0 < sample.added_p50_us < 1_000_000


def test_a_way_that_cannot_be_measured_is_named(results: Results) -> None:
    """The rest of the run goes on."""
    (((turn, way), reason),) = results.failures.items()

    assert (turn, way.name) == (BROKEN, "chaosproxy, typo")
    assert reason.startswith("ended early")
    assert "sse.dorp" in reason


def test_without_a_compiler_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: a reason."""
    monkeypatch.setenv("PATH", os.fspath(tmp_path))

    with pytest.raises(BenchmarkFailed, match="no C compiler"):
        build(tmp_path)


def test_a_profile_names_functions_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load, by room."""
    monkeypatch.setattr(hot_spots, "SECONDS", SECONDS)

    found, sample = hot_spots.profile(Load(3, events=10), ())

    assert sample.events > 0
    assert {"proxy", "event loop"} <= {spot.room for spot in found if spot.own_us > 0}
