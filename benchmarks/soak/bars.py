"""The bars of a soak, and whether they were met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.soak.conductor import Found
from benchmarks.soak.scene import BYTES
from benchmarks.soak.watch import slope_mb
from chaosproxy.control.outcomes import Fate

SETTLED_S = 300.0
"""So long memory may grow: until every store of a fixed size is full."""
SLOPE_MAX_MB = 1.0
"""Per ten minutes, after that."""
OPEN_MIN = 0.9
"""Of the streams that were asked for, so many were open at once."""


@dataclass(frozen=True, slots=True)
class Bar:
    """``met`` is None where this soak was too short to say."""

    what: str
    bar: str
    found: str
    met: bool | None


def judge(found: Found) -> list[Bar]:
    """All of them."""
    return [*_resources(found), *_streams(found), *_counters(found)]


def _resources(found: Found) -> Iterator[Bar]:
    slope = slope_mb(found.seen, SETTLED_S)
    yield Bar(
        "growth of resident memory after five minutes",
        f"< {SLOPE_MAX_MB:g} MB in ten minutes",
        "not measured" if slope is None else f"{slope:.2f} MB",
        None if slope is None else slope < SLOPE_MAX_MB,
    )
    for what, name in (("file descriptors", "files"), ("tasks", "tasks"), ("timers", "timers")):
        before, after = getattr(found.before, name), getattr(found.after, name)
        yield Bar(f"{what}, at the start and at the end", "equal", f"{before} and {after}", before == after)
    yield Bar("exit code of the proxy", "0", str(found.proxy_code), found.proxy_code == 0)


def _streams(found: Found) -> Iterator[Bar]:
    calls, after = found.calls, found.after
    most = calls.open_most
    yield Bar("streams open at once", f">= {found.streams * OPEN_MIN:.0f}", f"{most}", most >= found.streams * OPEN_MIN)
    yield Bar("calls without an end", "0", f"{calls.stuck} of {calls.sent}", calls.stuck == 0 < calls.sent)
    still = f"{after.open_exchanges} exchanges, {after.open_connections} connections"
    yield Bar("open when all clients are gone", "0", still, after.at_rest)


def _counters(found: Found) -> Iterator[Bar]:
    audit, sums = found.audit, found.sums
    opened = sums.total("chaosproxy_exchanges_opened_total")
    closed, written = sums.total("chaosproxy_exchanges_total"), sum(audit.exchanges.values())
    yield Bar(
        "exchanges: opened = closed = journalled", "equal", f"{opened} {closed} {written}", opened == closed == written
    )
    opened = sums.total("chaosproxy_connections_opened_total", listener=BYTES)
    closed, written = sums.total("chaosproxy_connections_total"), sum(audit.connections.values())
    yield Bar(
        "TCP connections: opened = closed = journalled",
        "equal",
        f"{opened} {closed} {written}",
        opened == closed == written,
    )
    counted = {fate: sums.total(f"chaosproxy_fault_{fate}_total") for fate in Fate}
    seen = sums.total("chaosproxy_fault_seen_total")
    words = " + ".join(f"{count} {fate.replace('_', ' ')}" for fate, count in counted.items())
    yield Bar(
        "seen = injected + passed + not applicable", "equal", f"{seen} = {words}", seen == sum(counted.values()) > 0
    )
    told = audit.seen == seen and all(audit.fates[fate] == counted[fate] for fate in Fate)
    yield Bar("the same, counted from the journal", "equal", f"{audit.seen}", told)
    flaws = sum(audit.flaws.values())
    yield Bar("records that contradict each other", "0", f"{flaws} of {sum(audit.records.values())}", flaws == 0)
