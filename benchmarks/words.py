"""Figures in words: cells of tables, and a line per sample while the benchmark runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.load import Sample
from benchmarks.results import (
    Spread,
    Turn,
    answers_per_s,
    cpu_us_per_event,
    cpu_us_per_request,
    events_per_s,
    rss_mb,
)
from benchmarks.ways import Way


def line(turn: Turn, way: Way, sample: Sample | None, failure: str | None) -> str:
    """One sample."""
    if sample is None:
        return f"  {way.name:42} {failure}"
    if turn.paired:
        figures = f"{'':34} added p50 {sample.added_p50_us:8.0f} us  p99 {sample.added_p99_us:8.0f} us"
    elif turn.load.streamed:
        figures = f"{events_per_s(sample):10,.0f} events/s   {cpu_us_per_event(sample):7.1f} us CPU"
        figures += f"    p50 {sample.event_p50_us:8.0f} us  p99 {sample.event_p99_us:8.0f} us"
    else:
        figures = f"{answers_per_s(sample):10,.0f} requests/s {cpu_us_per_request(sample):7.1f} us CPU"
        figures += f"    p50 {sample.first_byte_p50_us:8.0f} us  p99 {sample.first_byte_p99_us:8.0f} us"
    troubles = f"  {sample.errors} errors, {sample.incomplete} incomplete" if sample.errors + sample.incomplete else ""
    return f"  {way.name:42} {figures}  {rss_mb(sample):4.0f} MB{troubles}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Markdown."""
    titles = list(head)
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def cell(spread: Spread | None, form: str | None = None) -> str:
    """The median, and least to greatest where they differ; three digits that matter unless a form is given."""
    if spread is None:
        return "not measured"
    median, least, greatest = (number(value, form) for value in (spread.median, spread.least, spread.greatest))
    return median if least == greatest else f"{median} ({least} to {greatest})"


def number(value: float, form: str | None = None) -> str:
    """Thousands with commas, and as many decimals as its size makes sense of."""
    if form is not None:
        return f"{value:{form}}"
    magnitude = abs(value)
    return f"{value:,.0f}" if magnitude >= 100 else f"{value:.1f}" if magnitude >= 10 else f"{value:.2f}"
