"""The rounds: every turn of a plan, the ways of each directly one after the other."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import words
from benchmarks.load import Load, Sample, apply_load, load_words
from benchmarks.machine import Machine, Watch
from benchmarks.processes import BenchmarkFailed, Cores, Process, backend, build
from benchmarks.results import Results, Turn
from benchmarks.ways import Kind, Way, started

OTHERS_MAX = 0.10
"""A turn in which other processes took more than this share of all CPU time is measured again, as often as allowed."""
Measured = tuple[dict[Way, Sample], dict[Way, str]]
"""Samples, and for the rest why there is none."""
WARM_UP = Load(10, events=10)
WARM_UP_S = 0.5


class Bench:
    """One backend, and the ways to it that are running."""

    def __init__(self, folder: Path, cores: Cores, program: Path, port: int, stack: ExitStack) -> None:
        self._folder = folder
        self._cores = cores
        self._program = program
        self._port = port
        self._stack = stack
        self._running: dict[Way, Process | None] = {}

    def turn(self, turn: Turn, *, backwards: bool) -> Measured:
        """Each way once."""
        samples: dict[Way, Sample] = {}
        failures: dict[Way, str] = {}
        for way in turn.ways[::-1] if backwards else turn.ways:
            try:
                with self._way(way, fresh=way in turn.fresh) as through:
                    samples[way] = _credible(way, self._apply(turn, through))
            except BenchmarkFailed as error:
                failures[way] = str(error)
                self._running.pop(way, None)
            print(words.line(turn, way, samples.get(way), failures.get(way)), flush=True)
        return samples, failures

    @contextmanager
    def _way(self, way: Way, *, fresh: bool) -> Iterator[Process | None]:
        """A way of its own for memory and faults; else one that stays for all rounds."""
        with ExitStack() as alone:
            if fresh or way not in self._running:
                stack = alone if fresh else self._stack
                through = stack.enter_context(started(way, self._folder, self._cores, self._port))
                self._warm_up(way, through)
                if fresh:
                    yield through
                    return
                self._running[way] = through
            yield self._running[way]

    def _warm_up(self, way: Way, through: Process | None) -> None:
        if through:
            load = Load(WARM_UP.streams, streamed=False) if way.kind is Kind.AIMOCK else WARM_UP
            command = load_words(self._program, self._cores.load, load, port=through.port, seconds=WARM_UP_S)
            apply_load(command, seconds=WARM_UP_S, spread_s=load.spread_s, through=None)

    def _apply(self, turn: Turn, through: Process | None) -> Sample:
        port = through.port if through else self._port
        spread_s = turn.load.spread_s if turn.spread_s is None else turn.spread_s
        command = load_words(
            self._program, self._cores.load, turn.load, port=port, seconds=turn.seconds, spread_s=spread_s
        )
        pair = [f"pair={self._port}"] if turn.paired else []
        return apply_load([*command, *pair], seconds=turn.seconds, spread_s=spread_s, through=through)


def _credible(way: Way, sample: Sample) -> Sample:
    """Only a fault of ours may break answers. Raises BenchmarkFailed for any other that did."""
    if sample.errors + sample.incomplete and not way.faults:
        raise BenchmarkFailed(f"{sample.errors:,} errors, {sample.incomplete:,} incomplete answers")
    return sample


@contextmanager
def bench() -> Iterator[Bench]:
    """Build the load tool and start the backend; everything ends with it. Raises BenchmarkFailed."""
    with tempfile.TemporaryDirectory(prefix="chaosproxy-bench-") as name, ExitStack() as stack:
        folder, cores = Path(name), Cores.choose()
        program = build(folder)
        port = stack.enter_context(backend(program, cores.load))
        yield Bench(folder, cores, program, port, stack)


def measure(plan: Sequence[Sequence[Turn]], *, repeat_s: float) -> Results:
    """Every part of a plan, its turns in rounds; every other round goes backwards, so that no way always comes first.

    Raises BenchmarkFailed when nothing can be measured; a way that fails is noted in the results.
    """
    results = Results(Machine.look())
    for turns in plan:
        with bench() as running:
            for number in range(max((turn.rounds for turn in turns), default=0)):
                for turn in turns[::-1] if number % 2 else turns:
                    if number < turn.rounds:
                        _measure_turn(running, results, turn, number, repeat_s)
    return results


def _measure_turn(running: Bench, results: Results, turn: Turn, number: int, repeat_s: float) -> None:
    """Once, and again while it was not calm enough and there is time for it; the calmest attempt counts."""
    print(f"{turn.name}, round {number + 1} of {turn.rounds}", flush=True)
    measured, calmest, took_s = _attempt(running, turn, number)
    while calmest > OTHERS_MAX and results.repeat_s + took_s <= repeat_s:
        print(f"  again: others took {calmest:.0%} of all CPU time", flush=True)
        again, others_cpu, took_s = _attempt(running, turn, number)
        results.repeated += 1
        results.repeat_s += took_s
        if others_cpu < calmest:
            measured, calmest = again, others_cpu
    samples, failures = measured
    results.turns[turn.name] = turn
    results.others_cpu.append(calmest)
    for way, sample in samples.items():
        results.samples[turn.name, way][number] = sample
    for way, reason in failures.items():
        results.failures[turn.name, way] = reason


def _attempt(running: Bench, turn: Turn, number: int) -> tuple[Measured, float, float]:
    """What was measured, the share of all CPU time that others took meanwhile, and how long it was."""
    began_s = time.monotonic()
    with Watch() as watch:
        measured = running.turn(turn, backwards=bool(number % 2))
    return measured, watch.others_cpu, time.monotonic() - began_s
