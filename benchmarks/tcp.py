"""The TCP level beside the real Toxiproxy server: ``python -m benchmarks.tcp [--quick]``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep

from benchmarks import page
from benchmarks.bars import verdict
from benchmarks.load import Load, load_words
from benchmarks.machine import Watch
from benchmarks.processes import (
    END_S,
    BenchmarkFailed,
    Cores,
    Process,
    allow_files,
    backend,
    build,
    read_line,
)
from benchmarks.results import Results, Spread, Turn, cpu_us_per_event, cpu_us_per_request
from benchmarks.rounds import measure
from benchmarks.tcp_delays import Bench, Delays
from benchmarks.ways import RELAY, TCP, TOXIPROXY, Way, started
from benchmarks.words import cell, table

BEGIN = "<!-- TCP level: begin; written by `make bench-tcp` -->"
END = "<!-- TCP level: end -->"
IDLE_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    rounds: int
    seconds: float
    idle: int
    delay_s: float


FULL = Scale(rounds=5, seconds=3.0, idle=2000, delay_s=3.0)
QUICK = Scale(rounds=1, seconds=1.5, idle=500, delay_s=1.5)
STREAMS, PLAIN = "TCP relay, 500 streams", "TCP relay, plain JSON, 32 connections"


@dataclass(slots=True)
class Measured:
    """Everything that the page says."""

    speed: Results
    kib_per_connection: dict[Way, list[float]] = field(default_factory=dict)
    delays: Delays = field(default_factory=Delays)
    others_cpu: float = 0.0


def run(scale: Scale) -> Measured:
    """Speed, memory and exactness of the ways that there are. Raises BenchmarkFailed."""
    ways = tuple(way for way in (RELAY, TOXIPROXY, TCP) if not way.missing)
    turns = [
        Turn(STREAMS, Load(500), ways, scale.seconds, scale.rounds),
        Turn(PLAIN, Load(32, streamed=False), ways, scale.seconds, scale.rounds),
    ]
    with Watch() as watch:
        found = Measured(measure([turns], repeat_s=0.0))
        with tempfile.TemporaryDirectory(prefix="chaosproxy-bench-") as name, ExitStack() as stack:
            folder, cores = Path(name), Cores.choose()
            program = build(folder)
            port = stack.enter_context(backend(program, cores.load))
            delays = Bench(program, folder, cores, scale.delay_s)
            for number in range(min(3, scale.rounds)):
                for way in ways:
                    _measure_idle(found, scale, program, way, (folder, cores, port))
                delays.round(found.delays, ways, backwards=number % 2 == 1)
    found.others_cpu = watch.others_cpu
    return found


def _measure_idle(found: Measured, scale: Scale, program: Path, way: Way, place: tuple[Path, Cores, int]) -> None:
    """What each connection takes after one request and one event, while nothing moves."""
    folder, cores, port = place
    with started(way, folder, cores, port) as through:
        assert through is not None  # noqa: S101 - no way here is the direct one
        before_kib = _warm(program, cores, through)
        load = Load(scale.idle, events=2, idle_s=60.0)
        words = load_words(program, cores.load, load, port=through.port, seconds=60.0, spread_s=3.0)
        with subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True) as process:
            try:
                read_line(process, 3.0 + END_S)
                sleep(IDLE_AFTER_S)
                kib = (through.rss_kib - before_kib) / scale.idle
            finally:
                process.kill()
    found.kib_per_connection.setdefault(way, []).append(kib)
    print(f"  {way.name:42} {kib:6.1f} KiB per idle connection", flush=True)


def _warm(program: Path, cores: Cores, through: Process) -> int:
    words = load_words(program, cores.load, Load(10, events=10), port=through.port, seconds=0.5)
    subprocess.run([str(word) for word in words], stdout=subprocess.DEVNULL, check=True)
    through.settle()
    return through.rss_kib


# the page -------------------------------------------------------------------------------------------------------------


def tables(found: Measured) -> str:
    """Markdown."""
    machine = found.speed.machine
    lines = [
        f"Measured on {machine.date}: {machine.cpu}, {machine.cores} cores, {machine.kernel}; {machine.versions}.",
        "CPU time, which other processes disturb less than the time of day; median (least to greatest) of the rounds.",
        f"Other processes took {found.others_cpu:.0%} of all CPU time.",
        "",
        *table(("what", "bar", "chaosproxy", "Toxiproxy", "ratio", "verdict"), _bars(found)),
        "",
        *found.delays.table(),
    ]
    return "\n".join(lines)


def _bars(found: Measured) -> Iterator[tuple[str, ...]]:
    for turn, figure, unit in ((STREAMS, cpu_us_per_event, "event"), (PLAIN, cpu_us_per_request, "request")):
        ours, theirs = (found.speed.spread(turn, way, figure) for way in (TCP, TOXIPROXY))
        ratio = found.speed.ratio(turn, TOXIPROXY, TCP, figure)  # per core and second: the inverse of the time
        yield (f"{turn}: CPU per {unit}, us; {unit}s/s per core", ">= 1 x", *_row(ours, theirs, ratio, 1.0))
    ours, theirs = (Spread.of(found.kib_per_connection.get(way, ())) for way in (TCP, TOXIPROXY))
    pairs = zip(found.kib_per_connection.get(TCP, ()), found.kib_per_connection.get(TOXIPROXY, ()), strict=False)
    ratio = Spread.of(mine / other for mine, other in pairs)
    yield ("memory per idle connection, KiB", "<= 0.5 x", *_row(ours, theirs, ratio, 0.5, at_least=False))
    yield found.delays.bar()


def _row(
    ours: Spread | None, theirs: Spread | None, ratio: Spread | None, bound: float, *, at_least: bool = True
) -> tuple[str, str, str, str]:
    said = "not judged" if ratio is None else verdict(ratio.median, bound, at_least=at_least)
    return cell(ours), cell(theirs), cell(ratio, ".2f") if ratio else "", said


def main() -> int:
    """Measure; a full run writes its part of the page. The exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tcp", description="Measure the TCP level.")
    parser.add_argument("--quick", action="store_true", help="coarse, and nothing is written")
    given = parser.parse_args()
    allow_files()
    try:
        text = tables(run(QUICK if given.quick else FULL))
    except BenchmarkFailed as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{text}")
    if not given.quick:
        page.write(text, begin=BEGIN, end=END)
    return 0


if __name__ == "__main__":
    sys.exit(main())
