"""A soak in words: what was done, a table of bars, and what was found wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.machine import Machine
from benchmarks.soak.bars import Bar
from benchmarks.soak.conductor import Found
from benchmarks.words import table

BEGIN = "<!-- soak: begin; written by `make soak` -->"
END = "<!-- soak: end -->"
_VERDICTS = {True: "met", False: "not met", None: "too short to say"}


def words(found: Found, bars: Sequence[Bar]) -> str:
    """Markdown."""
    return "\n".join([*_where(found), "", *table(("what", "bar", "found", "verdict"), map(_row, bars))])


def flaws(found: Found) -> list[str]:
    """Each kind of contradiction with its number, and the first ones in full."""
    counts = [f"{count} x {kind}" for kind, count in found.audit.flaws.items()]
    return [*counts, *found.audit.told]


def _row(bar: Bar) -> tuple[str, ...]:
    return bar.what, bar.bar, bar.found, _VERDICTS[bar.met]


def _where(found: Found) -> Iterator[str]:
    machine, audit, plans, calls = Machine.look(), found.audit, found.plans, found.calls
    yield f"Measured on {machine.date}: {machine.cpu}, {machine.cores} cores, {machine.kernel}; {machine.versions}."
    yield (
        f"{found.seconds / 60:.0f} minutes, {found.streams} streams: {calls.sent:,} calls, of which "
        f"{sum(calls.ended.values()) - calls.ended['ok']:,} failed as they were meant to, and "
        f"{sum(found.visits.values()):,} other visits (WebSockets, TCP, downloads, uploads, clients that leave)."
    )
    yield (
        f"The plan was swapped {plans.swapped:,} times, and left to its lease {plans.left:,} times; "
        f"{len(audit.fault_types)} types of fault hit exchanges. The journal has "
        f"{sum(audit.records.values()):,} records, the longest exchange took {audit.longest_s:.0f} s."
    )
