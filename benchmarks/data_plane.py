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
from benchmarks.results import DIRECT, EVENTS, FAULTS, INTERVAL_MS, JSON_LOAD, PROXIED, Results, Scale

WARM_UP_S = 0.5
FULL = Scale(rounds=5, seconds=4.0, streams=(10, 100, 200, 500, 1000), fault_streams=100, memory_streams=1000)
QUICK = Scale(rounds=3, seconds=1.5, streams=(10, 100, 500), fault_streams=100, memory_streams=500)


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
                backend(self._program, self._cores.load, events=EVENTS, interval_us=INTERVAL_MS * 1000)
            )
            self._proxies[PROXIED] = stack.enter_context(self._proxy())
            for fault in FAULTS:
                self._proxies[fault] = stack.enter_context(self._proxy(fault))
            for way in self._proxies:
                self._apply(way, Load(10), WARM_UP_S)
            yield

    def round(self, results: Results) -> None:
        """Measure everything once."""
        for streams in self._scale.streams:
            for way in (DIRECT, PROXIED):
                self._sample(results, way, Load(streams))
        for way in (PROXIED, *FAULTS):
            if way != PROXIED or self._scale.fault_streams not in self._scale.streams:
                self._sample(results, way, Load(self._scale.fault_streams))
        for way in (DIRECT, PROXIED):
            self._sample(results, way, JSON_LOAD)
        self._measure_memory(results)

    def _sample(self, results: Results, way: str, load: Load) -> None:
        sample = self._apply(way, load, self._scale.seconds)
        results.samples[way, load].append(sample)
        print(page.line(way, load, sample), flush=True)

    def _apply(self, way: str, load: Load, seconds: float, fresh: Proxy | None = None) -> Sample:
        through = fresh or self._proxies.get(way)
        port = through.port if through else self._port
        return apply_load(
            self._program, self._cores.load, load, port=port, seconds=seconds, events=EVENTS, through=through
        )

    def _measure_memory(self, results: Results) -> None:
        """In a proxy of its own: memory that a process once had does not come back."""
        load = Load(self._scale.memory_streams)
        with self._proxy() as fresh:
            self._apply(PROXIED, Load(10), WARM_UP_S, fresh)
            before_kib = fresh.rss_kib
            full_kib = self._apply(PROXIED, load, self._scale.seconds, fresh).proxy_rss_kib
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
    allow_files()
    with tempfile.TemporaryDirectory(prefix="chaosproxy-bench-") as name:
        folder = Path(name)
        bench = Bench(build(folder), folder, Cores.choose(), scale)
        results = Results(scale, Machine.look())
        with Watch() as watch, bench.running():
            for number in range(1, scale.rounds + 1):
                print(f"round {number} of {scale.rounds}", flush=True)
                bench.round(results)
        results.others_cpu = watch.others_cpu
    return results


def main() -> int:
    """Measure and print the tables; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_plane", description="Measure the data plane.")
    parser.add_argument("--quick", action="store_true", help="fewer, shorter rounds; the figures are coarse")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {page.PAGE.name}")
    given = parser.parse_args()
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
