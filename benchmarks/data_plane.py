"""The data plane against a direct connection: ``python -m benchmarks.data_plane [--quick] [--write]``.

A C backend streams events, a C client reads them, and the proxy stands in between or not. Both ways are measured in
turn, round by round, so that the noise of the machine meets both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import page
from benchmarks.machine import Machine, Watch
from benchmarks.processes import (
    BenchmarkFailed,
    Cores,
    Load,
    Proxy,
    Sample,
    allow_files,
    apply_load,
    backend,
    build,
    proxy,
)
from benchmarks.results import DIRECT, FAULTS, INTERVAL_MS, JSON_LOAD, PROXIED, Results, Scale

WARM_UP_S = 0.5
FULL = Scale(
    rounds=5, seconds=3.0, events=100, streams=(10, 100, 200, 500, 1000), fault_streams=100, memory_streams=1000
)
QUICK = Scale(rounds=2, seconds=1.5, events=100, streams=(10, 100, 500), fault_streams=100, memory_streams=500)


class Bench:
    """One backend, and the ways to it: direct, and through a proxy each without and with a fault."""

    def __init__(self, program: Path, folder: Path, cores: Cores, scale: Scale) -> None:
        self._program = program
        self._folder = folder
        self._cores = cores
        self._scale = scale
        self._port = 0
        self._proxies: dict[str, Proxy] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start everything and warm it up."""
        with ExitStack() as stack:
            self._port = stack.enter_context(
                backend(self._program, self._cores.load, events=self._scale.events, interval_us=INTERVAL_MS * 1000)
            )
            self._proxies[PROXIED] = stack.enter_context(self._proxy())
            for fault in FAULTS:
                self._proxies[fault] = stack.enter_context(self._proxy(fault))
            for running in self._proxies.values():
                self._warm_up(running)
            yield

    def round(self, results: Results, number: int) -> None:
        """Measure everything once; every other round goes backwards, so that no way always comes first."""
        jobs = [(way, Load(streams)) for streams in self._scale.streams for way in (DIRECT, PROXIED)]
        ways = FAULTS if self._scale.fault_streams in self._scale.streams else (PROXIED, *FAULTS)
        jobs += [(way, Load(self._scale.fault_streams)) for way in ways]
        jobs += [(way, JSON_LOAD) for way in (DIRECT, PROXIED)]
        for way, load in reversed(jobs) if number % 2 else jobs:
            spread_s = self._scale.stream_s if load.streamed else WARM_UP_S
            sample = self._apply(load, self._proxies.get(way), spread_s, self._scale.seconds)
            results.samples[way, load].append(sample)
            print(page.line(way, load, sample), flush=True)
        self._measure_memory(results)

    def _warm_up(self, running: Proxy) -> None:
        self._apply(Load(10), running, 0.0, WARM_UP_S)

    def _apply(self, load: Load, through: Proxy | None, spread_s: float, seconds: float) -> Sample:
        return apply_load(
            self._program,
            self._cores.load,
            load,
            port=through.port if through else self._port,
            spread_s=spread_s,
            seconds=seconds,
            events=self._scale.events,
            through=through,
        )

    def _measure_memory(self, results: Results) -> None:
        """In a proxy of its own: memory that a process once had does not come back."""
        load = Load(self._scale.memory_streams)
        with self._proxy() as fresh:
            self._warm_up(fresh)
            before_kib = fresh.rss_kib
            full_kib = self._apply(load, fresh, self._scale.stream_s, self._scale.seconds).proxy_rss_kib
        results.idle_kib.append(before_kib)
        results.kib_per_stream.append((full_kib - before_kib) / load.streams)

    @contextmanager
    def _proxy(self, fault: str | None = None) -> Iterator[Proxy]:
        with (
            tempfile.TemporaryDirectory(dir=self._folder) as folder,
            proxy(Path(folder), self._cores.proxy, self._port, fault) as running,
        ):
            yield running


def measure(scale: Scale) -> Results:
    """Build, start, measure, end. Raises BenchmarkFailed."""
    with tempfile.TemporaryDirectory(prefix="chaosproxy-bench-") as name:
        folder = Path(name)
        bench = Bench(build(folder), folder, Cores.choose(), scale)
        results = Results(scale, Machine.look())
        with Watch() as watch, bench.running():
            for number in range(scale.rounds):
                print(f"round {number + 1} of {scale.rounds}", flush=True)
                bench.round(results, number)
        results.others_cpu = watch.others_cpu
    return results


def main() -> int:
    """Measure and print the tables; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_plane", description="Measure the data plane.")
    parser.add_argument("--quick", action="store_true", help="fewer, shorter rounds; the figures are coarse")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {page.PAGE.name}")
    given = parser.parse_args()
    allow_files()
    try:
        results = measure(QUICK if given.quick else FULL)
    except BenchmarkFailed as error:
        print(error, file=sys.stderr)
        return 1
    text = page.tables(results)
    print(f"\n{text}")
    if given.write:
        page.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
