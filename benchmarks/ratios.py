"""The rest of the bars: exact delays and the cost of faults; and all ratios of a run, for the baseline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks import exactness
from benchmarks.bars import Judged, judge, verdict
from benchmarks.baseline import Ratio
from benchmarks.fault_cost import PROBES, Probe
from benchmarks.results import Results, Spread, cpu_us_per_event, cpu_us_per_request
from benchmarks.ways import OURS, RELAY

FAULT_MAX = 3.0
"""Times the bare relay, per event or per request."""
DELAY_P50_MS, DELAY_P99_MS = 0.6, 2.0


@dataclass(frozen=True, slots=True)
class FaultCost:
    """CPU of a fault per event or request, and beside no fault and the bare relay in the same turn."""

    probe: Probe
    cpu_us: Spread | None
    of_none: Spread | None
    of_relay: Spread | None
    why_missing: str = ""


def fault_costs(results: Results) -> list[FaultCost]:
    """Every fault that the run measured, or tried to."""
    found = []
    for name, turn in results.turns.items():
        figure = cpu_us_per_event if turn.load.streamed else cpu_us_per_request
        for probe in PROBES:
            if probe.way not in turn.ways or probe.way is None:
                continue
            asked = results.spread(name, probe.way, lambda sample: sample.asked + sample.events)
            if asked and not asked.median:
                found.append(FaultCost(probe, None, None, None, "holds every request: nothing to count"))
                continue
            found.append(
                FaultCost(
                    probe,
                    results.spread(name, probe.way, figure),
                    results.ratio(name, probe.way, OURS, figure),
                    results.ratio(name, probe.way, RELAY, figure),
                    results.why_missing(name, probe.way) or "",
                )
            )
    return found


def judge_faults(results: Results) -> Iterator[Judged]:
    """The dearest of the faults that are counted by events; the rest answer instead of the upstream, or never."""
    ratios = {cost: cost.of_relay for cost in fault_costs(results) if cost.of_relay and cost.probe.streamed}
    if not ratios:
        return
    worst = max(ratios, key=lambda cost: ratios[cost].median)
    said = verdict(ratios[worst].median, FAULT_MAX, at_least=False)
    what = f"CPU per event, the dearest fault ({worst.probe.fault})"
    yield Judged(what, "us", f"<= {FAULT_MAX:g} x {RELAY.name}", worst.cpu_us, "", None, ratios[worst], said)


def judge_delays(delays: exactness.Results | None) -> Iterator[Judged]:
    """The worst of all delays, on uvloop."""
    for row, reason in (delays.failures if delays else {}).items():
        what = f"{row.fault.name} {row.delay_ms} ms, {row.way}"
        yield Judged(what, "ms", "every round has events", None, "", None, None, f"not met ({reason})")
    samples = delays.samples if delays else {}
    rows = {row: found for row, found in samples.items() if row.way == exactness.UVLOOP and row.delay_ms}
    if not rows:
        return
    early = {row: _ms(sample.min_us for sample in found) for row, found in rows.items()}
    worst = min(early, key=lambda row: early[row].least)
    yield _delay("the earliest of all injected delays", worst, early[worst], early[worst].least, 0.0, at_least=True)
    for rank, bound, figure_us in (("p50", DELAY_P50_MS, _p50_us), ("p99", DELAY_P99_MS, _p99_us)):
        late = {row: _ms(map(figure_us, found)) for row, found in rows.items()}
        worst = max(late, key=lambda row: late[row].median)
        yield _delay(f"error of an injected delay {rank}", worst, late[worst], late[worst].median, bound)


def _delay(
    what: str, row: exactness.Row, seen: Spread, value: float, bound: float, *, at_least: bool = False
) -> Judged:
    bar = f"{'>=' if at_least else '<='} {bound:g} ms"
    named = f"{what} (worst: {row.fault.name} {row.delay_ms} ms)"
    return Judged(named, "ms", bar, seen, "", None, None, verdict(value, bound, at_least=at_least))


def _ms(values_us: Iterable[float]) -> Spread:
    spread = Spread.of(value_us / 1000 for value_us in values_us)
    assert spread is not None  # noqa: S101 - every row has a round
    return spread


def _p50_us(sample: exactness.Sample) -> float:
    return sample.p50_us


def _p99_us(sample: exactness.Sample) -> float:
    return sample.p99_us


def ratios(results: Results) -> list[Ratio]:
    """What can be compared with another run: ratios of the same round, never absolute figures.

    Not those of latencies: the few hundredths of a millisecond that a proxy adds are another multiple in each run.
    """
    judged = [each for each in judge(results) if each.unit != "ms"]
    found = [Ratio(each.what, each.ratio, at_least=each.at_least) for each in judged if each.ratio]
    found += [Ratio(f"{cost.probe.fault} of no fault", cost.of_none) for cost in fault_costs(results) if cost.of_none]
    return found
