"""The tables of docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.processes import Load, Sample
from benchmarks.results import (
    DIRECT,
    FAULTS,
    INTERVAL_MS,
    JSON_LOAD,
    PROXIED,
    Results,
    Spread,
    answers_per_s,
    cpu_us_per_answer,
    cpu_us_per_event,
    events_per_s,
)

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN = "<!-- data plane: begin; written by `make bench` -->"
END = "<!-- data plane: end -->"


def line(way: str, load: Load, sample: Sample) -> str:
    """One sample while the benchmark runs."""
    what = f"{load.streams} streams" if load.streamed else f"{load.streams} JSON connections"
    rate = f"{events_per_s(sample):,.0f} events/s" if load.streamed else f"{answers_per_s(sample):,.0f} requests/s"
    p50_us, p99_us = (
        (sample.event_p50_us, sample.event_p99_us)
        if load.streamed
        else (sample.first_byte_p50_us, sample.first_byte_p99_us)
    )
    troubles = f", {sample.errors} errors, {sample.incomplete} incomplete" if sample.errors + sample.incomplete else ""
    return f"  {what:20} {way:36} {rate:>18}  p50 {p50_us:8.0f} us  p99 {p99_us:8.0f} us{troubles}"


def tables(results: Results) -> str:
    """Markdown, from where it was measured to the last table."""
    parts = (_where(results), _streams(results), _faults(results), _plain(results), _memory(results))
    return "\n\n".join("\n".join(part) for part in parts)


def write(text: str, page: Path = PAGE) -> None:
    """Replace what stands between the markers."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def _where(results: Results) -> Iterator[str]:
    machine, scale = results.machine, results.scale
    samples = [sample for found in results.samples.values() for sample in found]
    lost = sum(sample.errors + sample.incomplete for sample in samples)
    yield f"Measured on {machine.date}: {machine.cpu}, {machine.cores} cores, {machine.kernel}; {machine.versions}."
    yield f"{scale.rounds} rounds, {scale.seconds:g} s of each load; median (least to greatest)."
    yield f"Load average before: {machine.load_average:.1f}; meanwhile other processes took {results.others_cpu:.0%} of"
    yield f"all CPU time. Errors and incomplete streams, direct and proxied together: {lost}."


def _streams(results: Results) -> Iterator[str]:
    rows = []
    for streams in results.scale.streams:
        load = Load(streams)
        offered = streams * 1000 / INTERVAL_MS
        rows.append(
            (
                f"{streams:,}",
                f"{offered:,.0f}",
                _count(results.spread(DIRECT, load, events_per_s)),
                _count(results.spread(PROXIED, load, events_per_s)),
                _ratio(
                    results.paired(PROXIED, DIRECT, load, lambda ours, base: events_per_s(ours) / events_per_s(base))
                ),
                _tenths(results.spread(PROXIED, load, cpu_us_per_event)),
                _ms(results.paired(PROXIED, DIRECT, load, lambda ours, base: ours.event_p50_us - base.event_p50_us)),
                _ms(results.paired(PROXIED, DIRECT, load, lambda ours, base: ours.event_p99_us - base.event_p99_us)),
            )
        )
    yield f"### Streams of {results.scale.events} events, one per {INTERVAL_MS} ms, no fault"
    yield ""
    head = ("streams", "offered events/s", "direct events/s", "proxied events/s", "proxied / direct")
    yield from _table((*head, "proxy CPU per event, us", "added p50, ms", "added p99, ms"), rows)


def _faults(results: Results) -> Iterator[str]:
    load = Load(results.scale.fault_streams)
    rows = [("none", _tenths(results.spread(PROXIED, load, cpu_us_per_event)), "1.00", "")]
    rows += [
        (
            f"`{fault}`",
            _tenths(results.spread(fault, load, cpu_us_per_event)),
            _ratio(
                results.paired(fault, PROXIED, load, lambda ours, base: cpu_us_per_event(ours) / cpu_us_per_event(base))
            ),
            _ms(results.paired(fault, PROXIED, load, lambda ours, base: ours.event_p99_us - base.event_p99_us)),
        )
        for fault in FAULTS
    ]
    yield f"### One fault in every stream that changes nothing, {load.streams} streams"
    yield ""
    yield from _table(("fault", "proxy CPU per event, us", "of none", "added p99 beside none, ms"), rows)


def _plain(results: Results) -> Iterator[str]:
    row = (
        _count(results.spread(DIRECT, JSON_LOAD, answers_per_s)),
        _count(results.spread(PROXIED, JSON_LOAD, answers_per_s)),
        _spread(
            results.paired(PROXIED, DIRECT, JSON_LOAD, lambda ours, base: answers_per_s(ours) / answers_per_s(base)),
            ".3f",
        ),
        _count(results.spread(PROXIED, JSON_LOAD, cpu_us_per_answer)),
    )
    yield f"### Plain JSON, {JSON_LOAD.streams} connections, as fast as they can"
    yield ""
    head = ("direct requests/s", "proxied requests/s", "proxied / direct", "proxy CPU per request, us")
    yield from _table(head, [row])


def _memory(results: Results) -> Iterator[str]:
    growth = Spread.of(results.kib_per_stream)
    idle = Spread.of([kib / 1024 for kib in results.idle_kib])
    yield "### Memory"
    yield ""
    row = (_tenths(idle), f"{results.scale.memory_streams:,}", _tenths(growth))
    yield from _table(("idle proxy, MiB", "open streams", "growth per stream, KiB"), [row])


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _spread(spread: Spread, form: str) -> str:
    return f"{spread.median:{form}} ({spread.least:{form}} to {spread.greatest:{form}})"


def _count(spread: Spread) -> str:
    return _spread(spread, ",.0f")


def _tenths(spread: Spread) -> str:
    return _spread(spread, ".1f")


def _ratio(spread: Spread) -> str:
    return _spread(spread, ".2f")


def _ms(spread_us: Spread) -> str:
    return _spread(Spread(spread_us.median / 1e3, spread_us.least / 1e3, spread_us.greatest / 1e3), ".2f")
