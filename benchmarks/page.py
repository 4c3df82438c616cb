"""The tables of docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import exactness
from benchmarks.bars import Judged, judge
from benchmarks.fault_cost import PROBES
from benchmarks.growth import EXPONENT_MAX, Growth
from benchmarks.plan import PLAIN
from benchmarks.ratios import FAULT_MAX, FaultCost, fault_costs, judge_delays, judge_faults
from benchmarks.results import (
    Results,
    answers_per_s,
    cpu_us_per_event,
    cpu_us_per_request,
    event_p50_us,
    event_p99_us,
    events_per_s,
    first_byte_p50_us,
    first_byte_p99_us,
    rss_mb,
)
from benchmarks.rounds import OTHERS_MAX
from benchmarks.ways import AIMOCK, DIRECT, TOXIPROXY
from benchmarks.words import cell, number, table

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "performance.md"
PLOT = DOCS / "performance-growth.svg"
BEGIN = "<!-- data plane: begin; written by `make bench` -->"
END = "<!-- data plane: end -->"


def tables(
    results: Results, growths: Sequence[Growth], delays: exactness.Results | None, *, minutes: float = 0.0
) -> str:
    """Markdown, from where it was measured to the last table."""
    judged = [*judge(results), *judge_delays(delays), *judge_faults(results), *_judge_growths(growths)]
    parts = [_where(results, minutes), _bars(judged), _streams(results), _plain(results), _faults(fault_costs(results))]
    if delays:
        parts.append(iter(exactness.table(delays).splitlines()))
    if growths:
        parts.append(_growths(growths))
    return "\n\n".join("\n".join(part) for part in parts)


def write(text: str, page: Path = PAGE, *, begin: str = BEGIN, end: str = END) -> None:
    """Replace what stands between the markers."""
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _where(results: Results, minutes: float) -> Iterator[str]:
    machine = results.machine
    calm = max(results.others_cpu, default=0.0)
    rounds = max((turn.rounds for turn in results.turns.values()), default=0)
    yield f"Measured on {machine.date}: {machine.cpu}, {machine.cores} cores, {machine.kernel}; {machine.versions}."
    yield f"Up to {rounds} rounds; median (least to greatest). It took {minutes:.0f} minutes."
    yield f"{results.repeated} turns were measured again because other processes took more than {OTHERS_MAX:.0%} of"
    yield f"all CPU time; in the turns that count they took up to {calm:.0%}."
    for way in (TOXIPROXY, AIMOCK):
        if way.missing:
            yield f"There is no column for {way.name}: {way.missing}."


def _bars(judged: Sequence[Judged]) -> Iterator[str]:
    rows = [
        (
            each.what,
            each.bar,
            each.unit,
            cell(each.ours),
            f"{cell(each.theirs)} {each.peer}" if each.theirs else "",
            cell(each.ratio, ".2f") if each.ratio else "",
            each.verdict,
        )
        for each in judged
    ]
    yield "### Bars"
    yield ""
    yield from table(("what", "bar", "unit", "chaosproxy", "peer", "ratio", "verdict"), rows)


def _streams(results: Results) -> Iterator[str]:
    rows = []
    for name, turn in results.turns.items():
        if DIRECT not in turn.ways or not turn.load.streamed:
            continue
        for way in turn.ways:
            spreads = [results.spread(name, way, figure) for figure in (events_per_s, cpu_us_per_event, rss_mb)]
            rate, cpu_us, memory_mb = (cell(spread) for spread in spreads)
            proxied = way != DIRECT
            added = [cell(results.added_ms(name, way, figure)) for figure in (event_p50_us, event_p99_us)]
            behind = [cpu_us, *added, memory_mb] if proxied else [""] * 4
            rows.append((f"{turn.load.streams:,}", number(turn.load.offered_per_s), way.name, rate, *behind))
    yield "### Streams of one event per 20 ms"
    yield ""
    head = ("streams", "offered events/s", "way", "events/s", "CPU per event, us", "added p50, ms", "added p99, ms")
    yield from table((*head, "memory, MB"), rows)


def _plain(results: Results) -> Iterator[str]:
    rows = []
    for way in results.turns[PLAIN].ways if PLAIN in results.turns else ():
        figures = (answers_per_s, cpu_us_per_request, first_byte_p50_us, first_byte_p99_us)
        rate, cpu_us, *first_byte_us = (cell(results.spread(PLAIN, way, figure)) for figure in figures)
        rows.append((way.name, rate, "" if way == DIRECT else cpu_us, *first_byte_us))
    yield "### Plain JSON, 32 connections, as fast as they can"
    yield ""
    head = ("way", "requests/s", "CPU per request, us", "first byte p50, us", "first byte p99, us")
    yield from table(head, rows)


def _faults(costs: Sequence[FaultCost]) -> Iterator[str]:
    by_fault = {cost.probe.fault: cost for cost in costs}
    rows = []
    for probe in PROBES:
        cost = by_fault.get(probe.fault)
        per = "event" if probe.streamed else "request"
        if cost is None or cost.cpu_us is None:
            rows.append((f"`{probe.fault}`", cost.why_missing if cost else probe.how, "", "", "", ""))
        else:
            ratios = (cell(cost.of_none, ".2f"), cell(cost.of_relay, ".2f"))
            rows.append((f"`{probe.fault}`", probe.how, per, cell(cost.cpu_us), *ratios))
    yield "### Cost of each fault"
    yield ""
    yield from table(("fault", "measured", "per", "CPU, us", "of no fault", "of the bare relay"), rows)
    yield ""
    yield f"The bar is {FAULT_MAX:g} x the bare relay per event. A fault that answers itself has no events: it is"
    yield "counted by requests for plain JSON."


def _growths(growths: Sequence[Growth]) -> Iterator[str]:
    yield "### Cost against size"
    yield ""
    yield f"![CPU against streams, event size and rules]({PLOT.name})"
    for growth in growths:
        yield ""
        yield f"- {growth.words}"


def _judge_growths(growths: Sequence[Growth]) -> Iterator[Judged]:
    for growth in growths:
        if growth.exponent is not None:
            verdict = "met" if growth.is_linear else "not met"
            bar = f"<= {EXPONENT_MAX:g} (linear: 1)"
            what = f"growth with {growth.title}"
            yield Judged(what, "exponent", bar, growth.exponent_spread, "", None, None, verdict)
