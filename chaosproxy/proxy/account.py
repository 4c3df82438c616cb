"""The account of one exchange: both edges and the faults at work; in the end one journal record."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Exchange
from chaosproxy.journal.entry import Entry
from chaosproxy.plan.decision import Decision
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


_NOTHING = Tally()
"""What passes before a head: nothing is counted here."""


class Side:
    """One edge. Times are seconds since the exchange began. Both edges share a tally until they differ."""

    __slots__ = ("end_at", "ended", "head_at", "retry_after_s", "status", "tally", "tunnelled_bytes")

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.status: int | None = None
        self.head_at: float | None = None
        self.retry_after_s: float | None = None
        self.tunnelled_bytes = 0
        self.ended: Ended = "none"
        self.end_at: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more can pass."""
        return self.end_at is not None

    def end(self, how: Ended, at: float) -> None:
        """The edge is over; the first reason counts."""
        if self.end_at is None:
            self.ended, self.end_at = how, at

    def values(self, began_at: float, passed: dict[str, Any]) -> dict[str, Any]:
        """The fields of a journal's Edge, defaults left out; ``passed`` are those that the tally knows."""
        values = dict(passed)
        if self.status is not None:
            values["status"] = self.status
        if self.head_at is not None:
            values["head_at"] = began_at + self.head_at
        if self.end_at is not None:
            values["end_at"] = began_at + self.end_at
        if self.ended != "none":
            values["ended"] = self.ended
        if self.retry_after_s is not None:
            values["retry_after_s"] = self.retry_after_s
        if self.tunnelled_bytes:
            values["bytes"] = values.get("bytes", 0) + self.tunnelled_bytes
        return values


class Delivery(Protocol):
    """The client's edge behind the toxics of its connection."""

    @property
    def over(self) -> bool:
        """Whether nothing more of this answer can reach the client."""

    def values(self, began_at: float) -> dict[str, Any]:
        """As ``Side.values``, of what left for the client."""


class Account:
    """What is known so far. ``received`` is the upstream's edge, ``sent`` the client's."""

    __slots__ = (
        "asked_at",
        "attached",
        "began_at",
        "delivery",
        "error",
        "exchange",
        "hit",
        "misses",
        "received",
        "sent",
    )

    def __init__(self, exchange: Exchange, began_at: float) -> None:
        self.exchange = exchange
        self.began_at = began_at
        self.received = Side(_NOTHING)
        self.sent = Side(_NOTHING)
        self.asked_at: float | None = None
        self.error: str | None = None
        self.attached: dict[str, Decision] = {}
        self.hit: set[str] = set()
        self.misses: dict[str, str] = {}
        self.delivery: Delivery | None = None
        """What really left for the client, where toxics stand on its connection."""

    @property
    def silent(self) -> list[str]:
        """Attached faults that reported neither a hit nor a miss."""
        return [fault for fault in self.attached if fault not in self.hit and fault not in self.misses]

    def entry(self) -> Entry:
        """The journal's view: an ExchangeRecord."""
        exchange, began_at = self.exchange, self.began_at
        passed = self.received.tally.values(began_at)
        received = self.received.values(began_at, passed)
        if self.sent.tally is not self.received.tally:
            passed = self.sent.tally.values(began_at)
        values: dict[str, Any] = {
            "type": "exchange",
            "id": exchange.id,
            "listener": exchange.listener,
            "ordinal": exchange.ordinal,
            "call": exchange.call,
            "attempt": exchange.attempt,
            "method": exchange.method,
            "path": exchange.path,
            "dialect": exchange.dialect,
            "model": exchange.model,
            "stream": exchange.stream,
            "began_at": began_at,
        }
        if (occurrence := exchange.occurrence) > 1:
            values["occurrence"] = occurrence
        if self.asked_at is not None:
            values["asked_at"] = began_at + self.asked_at
        if exchange.prompt_tokens is not None:
            values["asked_tokens"] = exchange.prompt_tokens
        if received:
            values["received"] = received
        sent = self.sent.values(began_at, passed) if self.delivery is None else self.delivery.values(began_at)
        if sent:
            values["sent"] = sent
        if self.attached:
            values["attached"] = list(self.attached)
        missed = [{"fault": it, "reason": reason} for it, reason in self.misses.items() if it not in self.hit]
        if missed:
            values["misses"] = missed
        if (error := self.error or self._flaw) is not None:
            values["error"] = error
        return Entry(values, exchange)

    @property
    def _flaw(self) -> str | None:
        """What was wrong with an answer of the upstream's that came to its end."""
        return self.received.tally.flaw if self.received.ended == "end" else None
