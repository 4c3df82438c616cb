"""The account of one exchange: both edges and the faults at work; in the end one journal record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Exchange
from chaosproxy.journal.records import Edge, ExchangeRecord, FaultMiss
from chaosproxy.plan.plan import Decision
from chaosproxy.proxy.tally import Tally

Ended = Literal["end", "fin", "reset", "gone", "timeout", "refused", "unfinished", "none"]

ENDED_BY: dict[str, Ended] = {
    UpstreamFailed.CONNECT: "refused",
    UpstreamFailed.TLS: "refused",
    UpstreamFailed.TIMEOUT: "timeout",
    UpstreamFailed.RESET: "reset",
    UpstreamFailed.INCOMPLETE: "fin",
    UpstreamFailed.PROTOCOL: "reset",
}
"""How each failure of an upstream ends its edge."""


@dataclass(slots=True)
class Side:
    """One edge. Times are seconds since the exchange began."""

    tally: Tally = field(default_factory=Tally)
    status: int | None = None
    head_at: float | None = None
    retry_after_s: float | None = None
    tunnelled_bytes: int = 0
    ended: Ended = "none"
    end_at: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more can pass."""
        return self.end_at is not None

    def end(self, how: Ended, at: float) -> None:
        """The edge is over; the first reason counts."""
        if self.end_at is None:
            self.ended, self.end_at = how, at

    def edge(self, began_at: float) -> Edge:
        """As a record, in absolute times."""
        edge = self.tally.edge()
        return edge.model_copy(
            update={
                "status": self.status,
                "bytes": edge.bytes + self.tunnelled_bytes,
                "head_at": _absolute(self.head_at, began_at),
                "first_content_at": _absolute(edge.first_content_at, began_at),
                "end_at": _absolute(self.end_at, began_at),
                "ended": self.ended,
                "retry_after_s": self.retry_after_s,
            }
        )


@dataclass(slots=True)
class Account:
    """What is known so far. ``received`` is the upstream's edge, ``sent`` the client's."""

    exchange: Exchange
    began_at: float
    received: Side = field(default_factory=Side)
    sent: Side = field(default_factory=Side)
    asked_at: float | None = None
    error: str | None = None
    attached: dict[str, Decision] = field(default_factory=dict)
    hit: set[str] = field(default_factory=set)
    misses: dict[str, str] = field(default_factory=dict)

    @property
    def silent(self) -> list[str]:
        """Attached faults that reported neither a hit nor a miss."""
        return [fault for fault in self.attached if fault not in self.hit and fault not in self.misses]

    def record(self) -> ExchangeRecord:
        """The journal's view."""
        exchange = self.exchange
        return ExchangeRecord(
            id=exchange.id,
            listener=exchange.listener,
            ordinal=exchange.ordinal,
            call=exchange.call,
            attempt=exchange.attempt,
            method=exchange.method,
            path=exchange.path,
            dialect=exchange.dialect,
            model=exchange.model,
            stream=exchange.stream,
            began_at=self.began_at,
            asked_at=_absolute(self.asked_at, self.began_at),
            received=self.received.edge(self.began_at),
            sent=self.sent.edge(self.began_at),
            attached=list(self.attached),
            misses=[FaultMiss(fault=fault, reason=reason) for fault, reason in self.misses.items()],
            error=self.error,
        )


def _absolute(at: float | None, began_at: float) -> float | None:
    return None if at is None else began_at + at
