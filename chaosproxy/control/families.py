"""The metrics that Prometheus gets: the one table of their names, and their values at the moment of a scrape."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from chaosproxy import __version__
from chaosproxy.control.figures import Figures, Histogram
from chaosproxy.control.outcomes import Fate
from chaosproxy.proxy.proxy import Proxy
from chaosproxy.proxy.standing import Standing


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. A counter's samples end in ``_total``, a histogram's in ``_bucket``, ``_sum`` and ``_count``."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


_L: Final = ("listener",)
_FAULT: Final = ("listener", "fault", "type")
_STREAM: Final = ("listener", "dialect", "edge")

BUILD = Family("chaosproxy_build_info", "gauge", "Always 1; the label is the version.", ("version",))
OPENED = Family("chaosproxy_exchanges_opened", "counter", "Exchanges that began.", _L)
CLOSED = Family(
    "chaosproxy_exchanges",
    "counter",
    "Exchanges that ended. Outcome: ok, error, cut, truncated, client_gone or unfinished.",
    ("listener", "dialect", "outcome"),
)
OPEN = Family("chaosproxy_open_exchanges", "gauge", "Exchanges that have begun and not ended.", _L)
OPEN_STREAMS = Family("chaosproxy_open_streams", "gauge", "Those of them that asked for a stream.", _L)
FAILURES = Family(
    "chaosproxy_failures",
    "counter",
    "Exchanges that ended with another outcome than ok. Cause: upstream, injected, client or proxy.",
    ("listener", "cause"),
)
UPSTREAM_ERRORS = Family(
    "chaosproxy_upstream_errors",
    "counter",
    "What upstreams did wrong by themselves. Kind: connect, timeout, tls, reset, incomplete, protocol, event, http_4xx "
    "or http_5xx.",
    ("listener", "kind"),
)
SEEN = Family(
    "chaosproxy_fault_seen", "counter", "Exchanges that a fault saw: injected + passed + not applicable.", _FAULT
)
FATES: Mapping[Fate, Family] = {
    Fate.INJECTED: Family("chaosproxy_fault_injected", "counter", "Exchanges on which a fault took effect.", _FAULT),
    Fate.PASSED: Family(
        "chaosproxy_fault_passed",
        "counter",
        "Exchanges that a fault let pass: not matched, not drawn, beyond max_hits, within a quota or cap.",
        _FAULT,
    ),
    Fate.NOT_APPLICABLE: Family(
        "chaosproxy_fault_not_applicable", "counter", "Exchanges on which a fault could do nothing.", _FAULT
    ),
}
CONNECTION_HITS = Family(
    "chaosproxy_fault_connection_hits",
    "counter",
    "Hits on connections that belong to no exchange: of TCP listeners, of refused or reset connections.",
    _FAULT,
)
ACTIVE = Family(
    "chaosproxy_active_faults", "gauge", "1 for each active fault; 0 while a flapping one does not act.", _FAULT
)
TTFT = Family(
    "chaosproxy_time_to_first_token_seconds",
    "histogram",
    "Of streams, to the first content. Edge: client (from the request, after our faults) or upstream (from when it was "
    "asked).",
    _STREAM,
)
CHUNK = Family(
    "chaosproxy_inter_chunk_seconds",
    "histogram",
    "Mean time between the content chunks of a stream, one observation per stream.",
    _STREAM,
)
DURATION = Family(
    "chaosproxy_exchange_duration_seconds",
    "histogram",
    "From the request to the end of the client's answer.",
    ("listener", "outcome"),
)
CONNECTIONS_OPENED = Family("chaosproxy_connections_opened", "counter", "Client connections that were accepted.", _L)
OPEN_CONNECTIONS = Family("chaosproxy_open_connections", "gauge", "Client connections that are open.", _L)
CONNECTIONS = Family(
    "chaosproxy_connections",
    "counter",
    "Connections of TCP listeners that ended. Ended, by whom: client, upstream, client_reset, upstream_reset, fin or "
    "reset (a fault), refused (the upstream) or unfinished (the proxy stopped).",
    ("listener", "ended"),
)
CONNECTION_BYTES = Family(
    "chaosproxy_connection_bytes",
    "counter",
    "Bytes that TCP listeners passed on, open connections included. Direction: upstream or downstream.",
    ("listener", "direction"),
)
LAG = Family(
    "chaosproxy_loop_lag_seconds",
    "gauge",
    "How late the event loop was in the last second in which exchanges were open. Stat: p99 or max.",
    ("stat",),
)
TASKS = Family("chaosproxy_tasks", "gauge", "Tasks of the proxy's event loop.")
TIMERS = Family("chaosproxy_timers", "gauge", "Timed events that wait for their time: of faults, of leases, of limits.")
RECORDS = Family("chaosproxy_journal_records", "counter", "Records that the journal got.")
TROUBLES = Family("chaosproxy_troubles", "counter", "What went wrong in the proxy itself, by its part.", ("part",))

FAMILIES: Final = (
    *(BUILD, OPENED, CLOSED, OPEN, OPEN_STREAMS, FAILURES, UPSTREAM_ERRORS, SEEN, *FATES.values()),
    *(CONNECTION_HITS, ACTIVE, TTFT, CHUNK, DURATION, CONNECTIONS_OPENED, OPEN_CONNECTIONS, CONNECTIONS),
    *(CONNECTION_BYTES, LAG, TASKS, TIMERS, RECORDS, TROUBLES),
)

Series = Iterable[tuple[tuple[str, ...], float]]


class ProxyCollector(Collector):
    """Makes the metrics of one proxy when it is asked for them."""

    def __init__(self, figures: Figures, proxy: Proxy) -> None:
        self._figures = figures
        self._proxy = proxy

    def describe(self) -> Iterable[Metric]:
        """The families without their values."""
        return [_histogram(family) if family.kind == "histogram" else _plain(family) for family in FAMILIES]

    def collect(self) -> Iterable[Metric]:
        """All families, the empty ones too."""
        values = {**_counted(self._figures), **_standing(self._proxy.standing()), **self._at_work()}
        times = {TTFT: self._figures.ttft, CHUNK: self._figures.chunks, DURATION: self._figures.durations}
        for family in FAMILIES:
            if family in times:
                yield _histogram(family, times[family])
            else:
                yield _plain(family, values[family])

    def _at_work(self) -> dict[Family, Series]:
        active = {
            (listener, fault.rule.id, fault.rule.do.type): float(fault.down)
            for fault in self._proxy.active
            for listener in fault.rule.listeners
        }
        totals = self._figures.connection_bytes.copy()
        for each in self._proxy.standing():
            if each.is_tcp:
                totals[each.listener, "upstream"] += each.upstream_bytes
                totals[each.listener, "downstream"] += each.downstream_bytes
        return {
            ACTIVE: active.items(),
            CONNECTION_BYTES: totals.items(),
            TASKS: [((), _tasks())],
            TIMERS: [((), self._proxy.waiting_timers)],
        }


def _tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # nobody runs a loop
        return 0


def _histogram(family: Family, series: Mapping[tuple[str, ...], Histogram] | None = None) -> HistogramMetricFamily:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    for labels, histogram in (series or {}).items():
        metric.add_metric(labels, list(_buckets(histogram)), histogram.sum_s)
    return metric


def _plain(family: Family, series: Series = ()) -> Metric:
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for labels, value in series:
        metric.add_metric(labels, value)
    return metric


def _counted(figures: Figures) -> dict[Family, Series]:
    return {
        BUILD: [((__version__,), 1)],
        CLOSED: figures.exchanges.items(),
        FAILURES: figures.failures.items(),
        UPSTREAM_ERRORS: figures.upstream_errors.items(),
        SEEN: figures.seen.items(),
        **{FATES[fate]: [(key, counts[key]) for key in figures.seen] for fate, counts in figures.fates.items()},
        CONNECTION_HITS: figures.connection_hits.items(),
        CONNECTIONS: figures.connections.items(),
        LAG: [(("p99",), figures.lag_p99_s), (("max",), figures.lag_max_s)],
        RECORDS: [((), figures.records)],
        TROUBLES: [((part,), count) for part, count in figures.troubles.items()],
    }


def _standing(standings: Iterable[Standing]) -> dict[Family, Series]:
    columns: dict[Family, Callable[[Standing], float]] = {
        OPENED: lambda each: each.opened,
        OPEN: lambda each: each.open,
        OPEN_STREAMS: lambda each: each.open_streams,
        CONNECTIONS_OPENED: lambda each: each.connections_opened,
        OPEN_CONNECTIONS: lambda each: each.connections_open,
    }
    rows = list(standings)
    return {family: [((each.listener,), value(each)) for each in rows] for family, value in columns.items()}


def _buckets(histogram: Histogram) -> Iterator[tuple[str, float]]:
    total = 0
    for bound_s, count in zip((*histogram.bounds_s, float("inf")), histogram.counts, strict=True):
        total += count
        yield "+Inf" if bound_s == float("inf") else str(bound_s), total
