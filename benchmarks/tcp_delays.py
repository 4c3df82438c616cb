"""How late a latency toxic lets events out, beside the same ways without a toxic.

The error of an event is the time at which the client had it, less the time at which the backend sent it, less the
delay. Each stream is one answer that lasts all the time: the backend sends at its own pace, whatever arrives, so that a
proxy that stands still is late for all that should have come meanwhile, and is not asked less.

A process that is ready to run and has to wait for others of the machine is late by their time slices, of several
milliseconds each. So everything is measured twice: as the machine comes, and with real-time scheduling, where load,
backend and proxy go before all other processes. That takes away neither their own work nor waiting for each other.
Nothing helps against a hypervisor that takes a core away: while it did, a row is measured again, whatever came out.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import peers, toxiproxy
from benchmarks.bars import DELIVERED_MIN, verdict
from benchmarks.delays import LATENCY, Arrival
from benchmarks.exactness import Sample as Errors
from benchmarks.load import Load, load_words
from benchmarks.machine import Watch
from benchmarks.processes import END_S, BenchmarkFailed, Cores, Process, backend, pinned, read_line, running
from benchmarks.results import Spread
from benchmarks.ways import DIRECT, RELAY, TCP, TOXIPROXY, Way, started, tcp_words
from benchmarks.words import cell, table

DELAYS_MS = (5, 50, 500)
STREAMS, INTERVAL_MS = 4, 5.0
"""800 events per second: far less than any of the ways can carry, and the table says how busy each was."""
BOUND_MS = 2.0
STOLEN_MAX = 0.005
"""A row for which the hypervisor took more than this share of all cores, one percent of either of two, is repeated."""
TRIES = 4
_MARGIN_S = 0.1
"""What connecting and the first bytes may take, before events are counted."""


@dataclass(frozen=True, slots=True)
class Row:
    """A way with a latency toxic, 0 ms for none; and whether it goes before other processes."""

    way: Way
    delay_ms: int
    real_time: bool

    @property
    def scheduling(self) -> str:
        """In words."""
        return "real-time" if self.real_time else "normal"


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of a row."""

    errors: Errors
    delivered: float
    """Events that came, as a share of those that the backend was asked for."""
    busy: float
    """CPU time of the proxy, as a share of one core."""
    others: float
    """CPU time of other processes, as a share of the whole machine."""
    stolen: float
    """What the hypervisor took of the whole machine."""
    tries: int = 1
    """How often it was measured until so little was stolen; else this is the try with the least."""

    @property
    def words(self) -> str:
        """While the benchmark runs."""
        errors = self.errors
        return (
            f"p50 {errors.p50_us:6.0f} us  p99 {errors.p99_us:6.0f} us  max {errors.max_us:6.0f} us  "
            f"{self.delivered:.1%} came, proxy {self.busy:.0%}, others {self.others:.0%}, "
            f"stolen {self.stolen:.1%}, tries {self.tries}"
        )


@dataclass(slots=True)
class Delays:
    """All rounds."""

    samples: dict[Row, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def judged(self, way: Way) -> list[Sample]:
        """Those with a toxic: with real-time scheduling, or as they come where that is not allowed."""
        rows = [row for row in self.samples if row.way == way and row.delay_ms]
        real_time = any(row.real_time for row in rows)
        return [sample for row in rows if row.real_time is real_time for sample in self.samples[row]]

    def bar(self) -> tuple[str, ...]:
        """A row of the table of bars: the p99 of every round and delay, the greatest of which counts."""
        ours, theirs = (_ms(sample.errors.p99_us for sample in self.judged(way)) for way in (TCP, TOXIPROXY))
        return (
            "error of the latency toxic p99, ms (the greatest counts)",
            f"<= {BOUND_MS:g} ms",
            cell(ours, ".2f"),
            cell(theirs, ".2f"),
            "",
            self._verdict(ours),
        )

    def _verdict(self, ours: Spread | None) -> str:
        if ours is None:
            return "not judged (not measured)"
        least = min(sample.delivered for sample in self.judged(TCP))
        if least < DELIVERED_MIN:
            return f"not met ({least:.1%} of the events arrived)"
        return verdict(ours.greatest, BOUND_MS, at_least=False)

    def table(self) -> Iterator[str]:
        """Markdown: medians of the rounds, least and greatest."""
        head = ("latency toxic", "way", "scheduling", "error p50, ms", "error p99, ms", "proxy's core busy")
        repeated = sum(sample.tries - 1 for samples in self.samples.values() for sample in samples)
        yield f"Measured again because the hypervisor took more than {STOLEN_MAX:.1%} of the machine: {repeated} times."
        yield ""
        rows = sorted(self.samples, key=lambda row: (not row.real_time, row.delay_ms))
        yield from table((*head, "other processes", "stolen"), (_cells(row, self.samples[row]) for row in rows))


def _cells(row: Row, samples: list[Sample]) -> tuple[str, ...]:
    p50, p99 = (_ms(getattr(sample.errors, rank) for sample in samples) for rank in ("p50_us", "p99_us"))
    busy, others, stolen = (
        Spread.of(getattr(sample, name) for sample in samples) for name in ("busy", "others", "stolen")
    )
    shares = ("" if row.way == DIRECT else cell(busy, ".0%"), cell(others, ".0%"), cell(stolen, ".1%"))
    toxic = f"{row.delay_ms} ms" if row.delay_ms else "none"
    return toxic, row.way.name, row.scheduling, cell(p50, ".2f"), cell(p99, ".2f"), *shares


def _ms(values_us: Iterator[float]) -> Spread | None:
    return Spread.of(value / 1e3 for value in values_us)


# the measurement ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bench:
    """The load tool, where it may write, and for how long each row is measured."""

    program: Path
    folder: Path
    cores: Cores
    seconds: float

    def round(self, found: Delays, ways: tuple[Way, ...], *, backwards: bool) -> None:
        """Each row once, all ways directly one after the other."""
        for real_time in (False, True) if may_go_first() else (False,):
            with ExitStack() as stack:
                if real_time:
                    stack.enter_context(going_first())
                port = stack.enter_context(backend(self.program, self.cores.load))
                for row in _rows(ways, real_time=real_time)[:: -1 if backwards else 1]:
                    sample = self.measure(row, port)
                    found.samples[row].append(sample)
                    name = f"{row.way.name}, {row.scheduling}"
                    print(f"  {name:28} latency {row.delay_ms:3} ms: {sample.words}", flush=True)

    def measure(self, row: Row, port: int) -> Sample:
        """Once, or of some tries that with the least stolen; its errors are not looked at."""
        tries = [self._try(row, port)]
        while tries[-1].stolen > STOLEN_MAX and len(tries) < TRIES:
            tries.append(self._try(row, port))
        return replace(min(tries, key=lambda sample: sample.stolen), tries=len(tries))

    def _try(self, row: Row, port: int) -> Sample:
        spread_s = (row.delay_ms / 1000 + _MARGIN_S) * STREAMS  # the last stream arrives before the count begins
        load = Load(STREAMS, events=int((spread_s + self.seconds) * 1000 / INTERVAL_MS), interval_ms=INTERVAL_MS)
        trace = self.folder / "trace"
        with _standing(row, self.folder, self.cores, port) as through:
            target = through.port if through else port
            words = load_words(
                self.program, self.cores.load, load, port=target, seconds=self.seconds, spread_s=spread_s
            )
            with running([*words, f"trace={trace}"]) as (process, _), Watch() as watch:
                began_s = through.cpu_s if through else 0.0
                seen = read_line(process, self.seconds + END_S)
                busy_s = through.cpu_s - began_s if through else 0.0
                process.wait(END_S)
        if seen["errors"]:
            raise BenchmarkFailed(f"latency {row.delay_ms} ms, {row.way.name}: {seen['errors']} broken connections")
        arrivals = [Arrival(*map(int, text.split())) for text in trace.read_text(encoding="ascii").splitlines()]
        delivered = len(arrivals) / (load.offered_per_s * seen["seconds"])
        return Sample(
            errors=_errors(arrivals, row.delay_ms),
            delivered=min(1.0, delivered),
            busy=busy_s / seen["seconds"],
            others=watch.others_cpu,
            stolen=watch.stolen,
        )


def _errors(arrivals: list[Arrival], delay_ms: int) -> Errors:
    dues = ((arrival.came_ns, LATENCY.due_ns(arrival, delay_ms * 1_000_000)) for arrival in arrivals)
    return Errors.of([(came_ns - due_ns) / 1e3 for came_ns, due_ns in dues if due_ns is not None])


def _rows(ways: tuple[Way, ...], *, real_time: bool) -> list[Row]:
    rows = [Row(way, 0, real_time) for way in (DIRECT, *ways)]
    return rows + [Row(way, delay_ms, real_time) for delay_ms in DELAYS_MS for way in ways if way != RELAY]


@contextmanager
def _standing(row: Row, folder: Path, cores: Cores, port: int) -> Iterator[Process | None]:
    if not row.delay_ms:
        with started(row.way, folder, cores, port) as through:
            yield through
    elif row.way == TOXIPROXY:
        with toxiproxy.server(peers.toxiproxy().program, cores.proxy) as server:
            through = Process(server.pid, server.add("bench", port))
            server.delay("bench", row.delay_ms)
            yield through
    else:
        words, more = tcp_words(port, row.delay_ms)
        with running([*pinned(cores.proxy), *words], more) as (process, ready):
            yield Process(process.pid, ready["port"])


# scheduling -----------------------------------------------------------------------------------------------------------


@contextmanager
def going_first() -> Iterator[None]:
    """Real-time scheduling for us and all that we start meanwhile. Raises PermissionError where it is not allowed."""
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO)))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def may_go_first() -> bool:
    """Whether we may; it takes root, CAP_SYS_NICE or a limit of its own (RLIMIT_RTPRIO)."""
    try:
        with going_first():
            return True
    except PermissionError:
        return False
