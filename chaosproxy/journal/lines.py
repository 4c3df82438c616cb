"""Exchanges as sentences for a person who watches: one line each, when it has ended."""

from __future__ import annotations

from chaosproxy.journal.records import AnyRecord
from chaosproxy.journal.traffic import ConnectionRecord, Edge, ExchangeRecord, FaultHit

_HOW_IT_ENDED = {
    "fin": "the connection ended in mid-answer",
    "reset": "the connection was reset",
    "gone": "the client left",
    "timeout": "silence",
    "unfinished": "cut off when the proxy stopped",
    "none": "no answer",
}


_WHO_ENDED = {
    "client": "closed by the client",
    "upstream": "closed by the upstream",
    "client_reset": "reset by the client",
    "upstream_reset": "reset by the upstream",
    "fin": "closed by a fault",
    "reset": "reset by a fault",
    "refused": "the upstream could not be reached",
    "unfinished": "cut off when the proxy stopped",
}


class Narrator:
    """Joins hits with their exchange."""

    def __init__(self) -> None:
        self._hits: dict[str, list[FaultHit]] = {}

    def tell(self, record: AnyRecord) -> str | None:
        """The line for this record, if it ends an exchange or hits a connection without one."""
        match record:
            case FaultHit(exchange=None):
                return f"{record.listener}: {record.detail} ({record.fault})"
            case FaultHit(exchange=str(exchange)):
                self._hits.setdefault(exchange, []).append(record)
            case ConnectionRecord():
                return connection_line(record)
            case ExchangeRecord():
                return exchange_line(record, self._hits.pop(record.id, []))
        return None


def exchange_line(exchange: ExchangeRecord, hits: list[FaultHit]) -> str:
    """``#3 POST /v1/chat/completions stream 200: cut after token 5, 17 events withheld``."""
    words = [f"#{exchange.ordinal}", exchange.method, exchange.path]
    if exchange.stream:
        words.append("stream")
    words.append(str(exchange.sent.status or "-"))
    return f"{' '.join(words)}: {', '.join(_story(exchange, hits))}"


def connection_line(connection: ConnectionRecord) -> str:
    """``#3 connection: 120 bytes up, 3400 bytes down, reset by a fault``."""
    sizes = f"{_count(connection.upstream_bytes, 'byte')} up, {_count(connection.downstream_bytes, 'byte')} down"
    end = connection.error or _WHO_ENDED[connection.ended]
    return f"#{connection.number} connection: {sizes}, {end}"


def _story(exchange: ExchangeRecord, hits: list[FaultHit]) -> list[str]:
    received, sent = exchange.received, exchange.sent
    story = [hit.detail for hit in hits]
    if not hits and exchange.misses:
        story.append("not hit: " + "; ".join(dict.fromkeys(miss.reason for miss in exchange.misses)))
    if exchange.error is not None:
        story.append(exchange.error)
    if not hits and exchange.error is None and sent.ended != "end":
        story.append(_HOW_IT_ENDED.get(sent.ended, sent.ended))
    if hits and received.events > sent.events:
        story.append(_count(received.events - sent.events, "event") + " withheld")
    if not story:
        story.append(f"passed, {_size(sent)}")
    return story


def _size(edge: Edge) -> str:
    return _count(edge.events, "event") if edge.events else _count(edge.bytes, "byte")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
