"""Abort conditions on what only grows: it is counted from the begin of the run, not over the last seconds."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from chaosproxy.journal.records import AnyRecord
from chaosproxy.journal.traffic import ExchangeRecord, FaultHit
from chaosproxy.steady_state.observation import Observation, State
from chaosproxy.steady_state.spending import Spending

if TYPE_CHECKING:
    from chaosproxy.steady_state.claims import Abort, Claims, Expression

TOTALS = frozenset({"upstream_requests", "hits", "cost"})
"""Measures that are counted here."""


class Totals:
    """Counts while the run goes on."""

    def __init__(self, claims: Claims) -> None:
        self._backends = claims.upstreams
        self._spent = Spending(claims.prices)
        self._requests = 0
        self._met: defaultdict[str, set[str]] = defaultdict(set)
        self._unnamed: defaultdict[str, int] = defaultdict(int)
        self._since: dict[Abort, float] = {}

    def notice(self, record: AnyRecord) -> None:
        """Count it, if it counts."""
        if isinstance(record, ExchangeRecord) and record.listener in self._backends:
            self._requests += 1
            self._spent.add(record)
        elif isinstance(record, FaultHit) and record.exchange is None:
            self._unnamed[record.fault] += 1
        elif isinstance(record, FaultHit):
            self._met[record.fault].add(record.exchange or "")

    def met(self, abort: Abort, now: float) -> bool:
        """Whether the condition holds for certain, and has for its ``for``."""
        if self._observed(abort.when).state(abort.when) is not State.HELD:
            self._since.pop(abort, None)
            return False
        return now - self._since.setdefault(abort, now) >= abort.for_s

    def _observed(self, when: Expression) -> Observation:
        match when.measure:
            case "cost":
                return Observation("so far", None, self._spent.money, *self._spent.bounds)
            case "hits":
                fault = when.argument or ""
                count = float(len(self._met[fault]) + self._unnamed[fault])
            case _:
                count = float(self._requests)
        return Observation("so far", None, count, count, count)
