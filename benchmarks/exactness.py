"""How exact injected delays are: ``python -m benchmarks.exactness [--quick]``.

A few streams are delayed while many others pass the same proxy untouched. The error of an event is the time at which
the client had it, less the time at which the backend sent it, less the delay that was asked for. What the way itself
takes is part of the error; the rows without a fault show how much that is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from statistics import median

from benchmarks import peers, toxiproxy
from benchmarks.delays import FAULTS, LATENCY, NONE, Arrival, Fault
from benchmarks.load import Load, load_words
from benchmarks.machine import Watch
from benchmarks.processes import (
    END_S,
    BenchmarkFailed,
    Cores,
    allow_files,
    backend,
    build,
    pinned,
    read_line,
    running,
)
from benchmarks.results import Spread
from benchmarks.ways import port_of
from benchmarks.words import table as markdown

UVLOOP, ASYNCIO, TOXIPROXY = "chaosproxy, uvloop", "chaosproxy, asyncio", "Toxiproxy"
DELAYS_MS = (5, 50, 500)
PROBES = {0: 4, 5: 2, 50: 8, 500: 32}
"""Streams that are delayed so long at a time: enough samples, little load."""
PROBE_EVENTS = 10
PROBE_INTERVAL_MS = 2.0
"""Shorter than each delay, so that it is the delay that sets the pace."""
SPREAD_S = 0.5
AN_HOUR_S = 3600.0

_WITHOUT_UVLOOP = "import runpy, sys; sys.modules['uvloop'] = None; runpy.run_module('chaosproxy', run_name='__main__')"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: each row for ``seconds`` in each round, beside ``others`` streams."""

    rounds: int
    seconds: float
    others: int = 200
    delays_ms: tuple[int, ...] = DELAYS_MS


FULL = Scale(rounds=3, seconds=3.0)
QUICK = Scale(rounds=1, seconds=1.0, delays_ms=(5, 50))


@dataclass(frozen=True, slots=True)
class Row:
    """Who was asked for which delay."""

    way: str
    fault: Fault
    delay_ms: int

    @property
    def listener(self) -> str:
        """A name for the port behind which that happens."""
        return f"{self.fault.name.replace('.', '-').replace('_', '-')}-{self.delay_ms}"


@dataclass(frozen=True, slots=True)
class Sample:
    """The errors of one round."""

    events: int
    p50_us: float
    p99_us: float
    min_us: float
    max_us: float

    @classmethod
    def of(cls, errors_us: list[float]) -> Sample:
        """Nearest ranks. Raises BenchmarkFailed without any."""
        if not errors_us:
            raise BenchmarkFailed("no delayed event arrived")
        ranked = sorted(errors_us)
        p50_us, p99_us = (ranked[ceil(share * len(ranked)) - 1] for share in (0.5, 0.99))
        return cls(len(ranked), p50_us, p99_us, ranked[0], ranked[-1])


@dataclass(slots=True)
class Results:
    """Samples by row, one per round, and what the other streams brought meanwhile, as a share of what they offer."""

    scale: Scale
    samples: dict[Row, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[Row, str] = field(default_factory=dict)
    """Why a row has no sample, or not in every round."""
    others: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    others_cpu: float = 0.0
    """CPU time that other processes took meanwhile, as a share of the whole machine."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The load tool, where it may write, and the backend's port."""

    program: Path
    folder: Path
    cores: Cores
    scale: Scale
    backend_port: int

    def rows(self, way: str) -> list[Row]:
        """In the order of the table."""
        faults = (LATENCY,) if way == TOXIPROXY else FAULTS
        delayed = [Row(way, fault, delay_ms) for fault in faults for delay_ms in self.scale.delays_ms]
        return [Row(way, NONE, 0), *delayed]

    def round(self, results: Results, way: str, ports: dict[str, int]) -> None:
        """All rows of one way, one after the other, beside the other streams."""
        with self._others(results.others[way], ports["others"]):
            for row in self.rows(way):
                try:
                    sample = Sample.of(self._errors_us(row, ports[row.listener]))
                except BenchmarkFailed as error:
                    results.failures[row] = str(error)
                    print(f"  {row.listener}: {error}", flush=True)
                else:
                    results.samples[row].append(sample)
                    print(line(row, sample), flush=True)

    @contextmanager
    def _others(self, shares: list[float], port: int) -> Iterator[None]:
        load = Load(self.scale.others)
        with running(load_words(self.program, self.cores.load, load, port=port, seconds=AN_HOUR_S)) as (process, _):
            yield
            process.terminate()
            seen = read_line(process, END_S)
        shares.append(seen["events"] / seen["seconds"] / load.offered_per_s)

    def _errors_us(self, row: Row, port: int) -> list[float]:
        trace, seconds = self.folder / "trace", self.scale.seconds
        load = Load(PROBES[row.delay_ms], events=PROBE_EVENTS, interval_ms=PROBE_INTERVAL_MS)
        words = load_words(self.program, self.cores.load, load, port=port, seconds=seconds, spread_s=SPREAD_S)
        with running([*words, f"trace={trace}"]) as (process, _):
            seen = read_line(process, self.scale.seconds + END_S)
            process.wait(END_S)
        if seen["errors"] + seen["incomplete"]:
            raise BenchmarkFailed(f"{row.listener}: {seen['errors']} errors, {seen['incomplete']} incomplete answers")
        arrivals = [Arrival(*map(int, text.split())) for text in trace.read_text(encoding="ascii").splitlines()]
        dues = ((arrival.came_ns, row.fault.due_ns(arrival, row.delay_ms * 1_000_000)) for arrival in arrivals)
        return [(came_ns - due_ns) / 1e3 for came_ns, due_ns in dues if due_ns is not None]

    # the ways --------------------------------------------------------------------------------------------------------

    @contextmanager
    def way(self, way: str) -> Iterator[dict[str, int]]:
        """Start a proxy with a port for the others and one for each row."""
        with self._toxiproxy() if way == TOXIPROXY else self._chaosproxy(way) as ports:
            yield ports

    @contextmanager
    def _chaosproxy(self, way: str) -> Iterator[dict[str, int]]:
        upstream = f"http://127.0.0.1:{self.backend_port}"
        listeners: dict[str, object] = {"others": {"upstream": upstream}}
        for row in self.rows(way):
            faults = [row.fault.text(row.delay_ms)] if row.delay_ms else []
            listeners[row.listener] = {"upstream": upstream, "faults": faults}
        config = self.folder / "proxies.yaml"
        config.write_text(json.dumps({"seed": 1, "listeners": listeners}), encoding="utf-8")
        python = ["-m", "chaosproxy"] if way == UVLOOP else ["-c", _WITHOUT_UVLOOP]
        words = [sys.executable, *python, "serve", "--leash", "--config", config]
        journal = ["--journal", self.folder / f"{way}.jsonl"]
        with running([*pinned(self.cores.proxy), *words, *journal]) as (_, ready):
            yield {name: port_of(at["url"]) for name, at in ready["listeners"].items()}

    @contextmanager
    def _toxiproxy(self) -> Iterator[dict[str, int]]:
        with toxiproxy.server(peers.toxiproxy().program, self.cores.proxy) as server:
            ports = {"others": server.add("others", self.backend_port)}
            for row in self.rows(TOXIPROXY):
                ports[row.listener] = server.add(row.listener, self.backend_port)
                if row.delay_ms:
                    server.delay(row.listener, row.delay_ms)
            yield ports


def measure(scale: Scale) -> Results:
    """Build, start, measure all ways in turn, end; Toxiproxy where it is installed. Raises BenchmarkFailed."""
    ways = (UVLOOP, ASYNCIO) if peers.toxiproxy().missing else (UVLOOP, ASYNCIO, TOXIPROXY)
    cores, results = Cores.choose(), Results(scale)
    with Watch() as watch, tempfile.TemporaryDirectory(prefix="chaosproxy-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        program = build(folder)
        backend_port = stack.enter_context(backend(program, cores.load))
        bench = Bench(program, folder, cores, scale, backend_port)
        ports = {way: stack.enter_context(bench.way(way)) for way in ways}
        for number in range(scale.rounds):
            print(f"round {number + 1} of {scale.rounds}", flush=True)
            for way in ways[::-1] if number % 2 else ways:
                bench.round(results, way, ports[way])
    results.others_cpu = watch.others_cpu
    return results


def line(row: Row, sample: Sample) -> str:
    """One sample while the benchmark runs."""
    fault = f"{row.fault.name} {row.delay_ms} ms"
    return (
        f"  {row.way:20} {fault:24} {sample.events:6} events  p50 {sample.p50_us:6.0f} us  p99 {sample.p99_us:6.0f} us"
        f"  min {sample.min_us:5.0f} us  max {sample.max_us:6.0f} us"
    )


def table(results: Results) -> str:
    """Markdown: per row the median of all rounds and its spread, and the least and greatest error of all."""
    head = ("proxy", "fault", "delay, ms", "events", "error p50, ms", "error p99, ms", "least, ms", "greatest, ms")
    rows = [
        (
            row.way,
            row.fault.name,
            str(row.delay_ms) if row.delay_ms else "",
            f"{sum(sample.events for sample in samples):,}",
            _ms([sample.p50_us for sample in samples]),
            _ms([sample.p99_us for sample in samples]),
            f"{min(sample.min_us for sample in samples) / 1e3:.2f}",
            f"{max(sample.max_us for sample in samples) / 1e3:.2f}",
        )
        for row, samples in results.samples.items()
    ]
    shares = ", ".join(f"{way} {median(shares):.1%}" for way, shares in results.others.items())
    beside = f"Beside them {results.scale.others} streams ran without a fault; of what they offer came: {shares}."
    others = f"Other processes took {results.others_cpu:.0%} of all CPU time."
    return "\n".join(["### Error of an injected delay", "", *markdown(head, rows), "", beside, others])


def _ms(values_us: list[float]) -> str:
    spread = Spread.of(value_us / 1e3 for value_us in values_us)
    assert spread is not None  # noqa: S101 - every row has a round
    return f"{spread.median:.2f} ({spread.least:.2f} to {spread.greatest:.2f})"


def main() -> int:
    """Measure and print the table; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exactness", description="Measure injected delays.")
    parser.add_argument("--quick", action="store_true", help="one short round; the figures are coarse")
    given = parser.parse_args()
    allow_files()
    try:
        results = measure(QUICK if given.quick else FULL)
    except BenchmarkFailed as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{table(results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
