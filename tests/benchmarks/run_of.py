"""Results as a run would leave them."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.load import Load, Sample
from benchmarks.machine import Machine
from benchmarks.results import Results, Turn
from benchmarks.ways import Way

SAMPLE = Sample(
    seconds=2.0,
    asked=100,
    answers=100,
    events=20_000,
    errors=0,
    incomplete=0,
    open=9_500,
    event_p50_us=100.0,
    event_p99_us=1_000.0,
    first_byte_p50_us=200.0,
    first_byte_p99_us=400.0,
    added_p50_us=250.0,
    added_p99_us=1_900.0,
    proxy_cpu_s=0.2,
    proxy_rss_kib=50_000,
)
MACHINE = Machine("2026-01-01", "a processor", 2, "Linux", "chaosproxy 0")


def sample(**changes: float) -> Sample:
    """One of 200 streams at full rate, at 10 us of CPU per event."""
    return replace(SAMPLE, **changes)  # type: ignore[arg-type]


def results(turn: str, load: Load, rounds: dict[Way, list[Sample]]) -> Results:
    """One turn with the samples of each way, round by round."""
    found = Results(MACHINE)
    found.turns[turn] = Turn(turn, load, tuple(rounds), 2.0, max(map(len, rounds.values())))
    for way, samples in rounds.items():
        found.samples[turn, way] = dict(enumerate(samples))
    found.others_cpu.append(0.05)
    return found
