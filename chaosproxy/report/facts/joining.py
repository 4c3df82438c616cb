"""Records back to calls, as they stream by: each call with what it cost, as soon as nothing more can belong to it.

Journals are in the order of time, so only the calls that are under way have to be remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Literal

from chaosproxy.journal.records import AnyRecord, Watched
from chaosproxy.journal.traffic import Call, ExchangeRecord, FaultHit, Sent
from chaosproxy.steady_state.claims import claims_of_watched
from chaosproxy.steady_state.entry_calls import own_call
from chaosproxy.steady_state.history import Story, history_of
from chaosproxy.steady_state.outcome import classify, reference_for, source_of, uncertainty_of

GRACE_S = 10.0
"""So long after its end a call may still cost requests that are counted as its own."""
WAITING_MAX = 20_000
"""Calls that have ended and are kept for that; of more, the earliest are told sooner."""
UNCLAIMED_MAX = 10_000
"""Exchanges whose call has not been seen; more than that are forgotten, the oldest first."""
Oracle = Literal["lab", "upstream", "none"]


@dataclass(slots=True)
class _Parts:
    exchanges: list[ExchangeRecord] = field(default_factory=list)
    hits: list[FaultHit] = field(default_factory=list)


class Joiner:
    """Feed it all records in their order; it gives the calls that are complete."""

    def __init__(
        self, oracle: Oracle | None = None, backends: tuple[str, ...] = (), *, entry: str | None = None
    ) -> None:
        self._oracle = oracle
        self._backends = frozenset(backends)
        self._entry = entry
        self._calls: dict[str, Call | Sent] = {}
        self._parts: dict[str, _Parts] = {}
        self._ends: list[tuple[float, str]] = []

    def stories(self, records: Iterable[AnyRecord]) -> Iterator[Story | AnyRecord]:
        """All calls, and between them every exchange and hit as it stands; calls that never ended come last."""
        for record in records:
            if record.type == "exchange":
                yield from self._closed(record.began_at)
            elif record.type == "call":
                yield from self._closed(record.intended_at)
            if self._keep(record):
                yield record
        yield from self._closed(float("inf"))
        for known in list(self._calls.values()):
            yield self._story(known.unended() if known.type == "sent" else known)

    def _keep(self, record: AnyRecord) -> bool:
        """Whether it is of interest by itself, not only as a part of its call."""
        if record.type == "exchange":
            if self._backends and record.listener not in self._backends:
                return False
            if record.call is not None:
                self._part(record.call).exchanges.append(record)
        elif record.type == "hit":
            if record.call is not None:
                self._part(record.call).hits.append(record)
        elif record.type == "sent":
            self._calls.setdefault(record.id, record)
            return False
        elif record.type == "call" and not record.dropped:
            self._calls[record.id] = record
            heappush(self._ends, (float("inf") if record.end_at is None else record.end_at, record.id))
            return False
        return True

    def _part(self, call: str) -> _Parts:
        parts = self._parts.get(call)
        if parts is None:
            parts = self._parts[call] = _Parts()
            if len(self._parts) > UNCLAIMED_MAX + len(self._calls):
                del self._parts[next(iter(self._parts))]
        return parts

    def _closed(self, now: float) -> Iterator[Story]:
        while self._ends and (self._ends[0][0] + GRACE_S < now or len(self._ends) > WAITING_MAX):
            call = self._calls.pop(heappop(self._ends)[1], None)
            if call is not None and call.type == "call":
                yield self._story(call)

    def _story(self, call: Call) -> Story:
        parts = self._parts.pop(call.id, None) or _Parts()
        edge, mine = own_call(parts.exchanges if call.tagged else (), self._entry)
        source = source_of(call, mine)
        reference = reference_for(call, source, self._oracle or ("upstream" if call.expected is None else "lab"))
        outcome = classify(call, reference)
        return Story(call, outcome, mine, tuple(parts.hits), source, uncertainty_of(call, reference, outcome), edge)


def seen_stories(watched: Watched, records: Iterable[AnyRecord]) -> Iterator[Story | AnyRecord]:
    """The calls of traffic that was not ours, and every exchange and hit; such a journal has to be read as a whole."""
    history = history_of(records, claims_of_watched(watched))
    yield from history.asked
    yield from history.hits
    yield from history.stories
