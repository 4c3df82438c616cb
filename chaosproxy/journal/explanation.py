"""Why each fault of a run did or did not hit one exchange, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chaosproxy.journal.lines import connection_line, exchange_line
from chaosproxy.journal.records import AnyRecord, FaultEdge, Mark
from chaosproxy.journal.traffic import ConnectionRecord, ExchangeRecord, FaultHit


def find_exchanges(records: Iterable[AnyRecord], wanted: str) -> list[ExchangeRecord]:
    """The exchanges that ``wanted`` means: an exchange's id, ``LISTENER#3``, ``#3``, or the id of a call."""
    return [
        record
        for record in records
        if isinstance(record, ExchangeRecord)
        and wanted in (record.id, record.call, f"#{record.ordinal}", f"{record.listener}#{record.ordinal}")
    ]


def find_connections(records: Iterable[AnyRecord], wanted: str) -> list[ConnectionRecord]:
    """The connections without HTTP that ``wanted`` means: a connection's id, ``LISTENER#3`` or ``#3``."""
    return [
        record
        for record in records
        if isinstance(record, ConnectionRecord)
        and wanted in (record.id, f"#{record.number}", f"{record.listener}#{record.number}")
    ]


def explain_connection(records: Sequence[AnyRecord], connection: ConnectionRecord) -> list[str]:
    """The connection on one line, then one line for each fault of the run."""
    origin = _origin(records)
    began = "" if origin is None else f", at {connection.began_at - origin:.2f}s of the run"
    first = f"{connection.listener} {connection_line(connection)}{began}"
    hits = [record for record in records if isinstance(record, FaultHit) and record.connection == connection.id]
    lines = [f"  {fault}: {_why_there(seen, connection, hits)}" for fault, seen in _edges(records).items()]
    return [first, *lines]


def _why_there(edges: Sequence[FaultEdge], connection: ConnectionRecord, hits: Sequence[FaultHit]) -> str:
    if mine := [hit for hit in hits if hit.fault == edges[0].fault]:
        return f"hit, {mine[0].at - connection.began_at:.3f} s after the connection began: {mine[0].detail}"
    if all(connection.listener not in edge.listeners for edge in edges):
        return f"not hit: it acts on {', '.join(edges[0].listeners)}"
    if min(edge.at for edge in edges) >= connection.end_at:
        return "not hit: the connection had ended before the fault began"
    healed = [edge.at for edge in edges if edge.edge == "healed"]
    if healed and connection.began_at >= max(healed):
        return f"not hit: the fault had healed {connection.began_at - max(healed):.2f} s before"
    return "not hit: its toxicity spared the connection, or nothing came that it acts on"


def _origin(records: Sequence[AnyRecord]) -> float | None:
    return next((mark.at for mark in records if isinstance(mark, Mark) and mark.name == "origin"), None)


def _edges(records: Sequence[AnyRecord]) -> dict[str, list[FaultEdge]]:
    edges: dict[str, list[FaultEdge]] = {}
    for record in records:
        if isinstance(record, FaultEdge):
            edges.setdefault(record.fault, []).append(record)
    return edges


def explain(records: Sequence[AnyRecord], exchange: ExchangeRecord) -> list[str]:
    """The exchange on one line, then one line for each fault of the run."""
    hits = [record for record in records if isinstance(record, FaultHit) and record.exchange == exchange.id]
    edges, origin = _edges(records), _origin(records)
    began = "" if origin is None else f", at {exchange.began_at - origin:.2f}s of the run"
    call = f", call {exchange.call} attempt {exchange.attempt}" if exchange.call else ""
    first = f"{exchange.listener} {exchange_line(exchange, hits)}{call}{began}"
    return [first, *(f"  {fault}: {_why(fault, seen, exchange, hits)}" for fault, seen in edges.items())]


def _why(fault: str, edges: Sequence[FaultEdge], exchange: ExchangeRecord, hits: Sequence[FaultHit]) -> str:
    hit = next((hit for hit in hits if hit.fault == fault), None)
    if hit is not None:
        return f"hit, {hit.at - exchange.began_at:.3f} s after the exchange began: {hit.detail}"
    miss = next((miss for miss in exchange.misses if miss.fault == fault), None)
    if miss is not None:
        return f"not hit: {miss.reason}"
    if all(exchange.listener not in edge.listeners for edge in edges):
        return f"not hit: it acts on {', '.join(edges[0].listeners)}"
    applied = [edge.at for edge in edges if edge.edge == "applied"]
    healed = [edge.at for edge in edges if edge.edge == "healed"]
    if applied and exchange.began_at < min(applied):
        return f"not hit: the fault began {min(applied) - exchange.began_at:.2f} s later"
    if healed and exchange.began_at >= max(healed):
        return f"not hit: the fault had healed {exchange.began_at - max(healed):.2f} s before"
    return "not hit: it did not act just then"
