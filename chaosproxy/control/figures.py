"""What has happened at a proxy, as numbers: taken from the records of its journal, when an exchange has ended.

Nothing is measured on the way of a stream, and what is kept does not grow with the traffic: labels are listeners,
dialects, words of this module and at most FAULTS_MAX ids of faults.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Any, Final

from chaosproxy.control.outcomes import Fate, Outcome, cause_of, fate_of, outcome_of, upstream_error_of
from chaosproxy.faults import REGISTRY
from chaosproxy.journal.entry import Entry

TTFT_BUCKETS_S: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0),
)
"""From a cached answer to a prompt that waits for a GPU."""
CHUNK_BUCKETS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75),
    *(1.0, 2.5, 5.0),
)
"""From a simulator to a stream that stalls at every token."""
DURATION_BUCKETS_S: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0),
)
"""From an error that comes at once to a long answer of a large model."""

FAULTS_MAX = 256
"""Faults that are counted under their own ids; later ones are counted together, as ``other``."""
OTHER = "other"
ASKED_FOR = "header"
"""The name of all faults that requests ask for themselves; their ids are the clients' choice."""
_ASKED_PREFIX = f"{ASKED_FOR}."
TTFTS_KEPT = 1024
"""The newest times to the first token, for percentiles."""
RATE_S = 60
"""The rate of requests is that of so many whole seconds."""


class Histogram:
    """How often a duration lay in each bucket; ``counts`` has one more for those above the last bound."""

    __slots__ = ("bounds_s", "counts", "sum_s")

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds_s, seconds)] += 1
        self.sum_s += seconds


def _histograms(bounds_s: tuple[float, ...]) -> defaultdict[tuple[str, ...], Histogram]:
    return defaultdict(lambda: Histogram(bounds_s))


class Figures:
    """Counts by labels. ``add`` takes each journal entry, as the proxy's ``record``; ``clock`` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.began_at = clock()
        self.exchanges: Counter[tuple[str, str, str]] = Counter()  # listener, dialect, outcome
        self.asked: Counter[str] = Counter()  # listener: exchanges that were brought to its upstream
        self.failures: Counter[tuple[str, str]] = Counter()  # listener, cause
        self.upstream_errors: Counter[tuple[str, str]] = Counter()  # listener, kind
        self.seen: Counter[tuple[str, str, str]] = Counter()  # listener, fault, its type
        self.fates: dict[Fate, Counter[tuple[str, str, str]]] = {fate: Counter() for fate in Fate}
        self.connection_hits: Counter[tuple[str, str, str]] = Counter()
        self.connections: Counter[tuple[str, str]] = Counter()  # listener, who ended it
        self.connection_bytes: Counter[tuple[str, str]] = Counter()  # listener, direction
        self.troubles: Counter[str] = Counter()  # part
        self.ttft = _histograms(TTFT_BUCKETS_S)  # listener, dialect, edge
        self.chunks = _histograms(CHUNK_BUCKETS_S)  # listener, dialect, edge
        self.durations = _histograms(DURATION_BUCKETS_S)  # listener, outcome
        self.lag_p99_s = self.lag_max_s = 0.0
        self.ttfts_s: deque[float] = deque(maxlen=TTFTS_KEPT)
        self.streams: Counter[bool] = Counter()  # by whether it ended well
        self.records = self.taken = 0
        self._types: dict[str, str] = {}
        self._known = frozenset(fault.type for fault in REGISTRY)
        self._rates: deque[tuple[int, int]] = deque()  # second, and how many ended in it
        self._take: dict[str, Callable[[Entry], None]] = {
            "exchange": self._exchange,
            "hit": self._hit,
            "fault": self._fault,
            "connection": self._connection,
            "lag": self._lag,
            "trouble": self._trouble,
        }

    def add(self, entry: Entry) -> None:
        """Take a record in."""
        self.records += 1
        if (take := self._take.get(entry.get("type"))) is not None:
            take(entry)
        self.taken += 1

    @property
    def age_s(self) -> float:
        """Since when there are figures."""
        return self._clock() - self.began_at

    @property
    def per_second(self) -> float:
        """Exchanges that ended, over the last RATE_S seconds or since the start."""
        self._forget(int(self._clock()))
        return sum(count for _, count in self._rates) / max(1.0, min(self.age_s, RATE_S))

    def _exchange(self, entry: Entry) -> None:
        listener, dialect, began_at = entry.get("listener"), entry.get("dialect"), entry.get("began_at")
        sent, received = entry.get("sent") or {}, entry.get("received") or {}
        injected = self._count_faults(listener, entry)
        outcome = outcome_of(sent, stream=entry.get("stream") is True)
        self.exchanges[listener, dialect, outcome] += 1
        self.asked[listener] += entry.get("asked_at") is not None
        if (kind := upstream_error_of(received, entry.get("error"))) is not None:
            self.upstream_errors[listener, kind] += 1
        if outcome is not Outcome.OK:
            cause = cause_of(outcome, error=entry.get("error"), upstream_failed=kind is not None, injected=injected)
            self.failures[listener, cause] += 1
        self.durations[listener, outcome].add(sent.get("end_at", began_at) - began_at)
        if entry.get("stream") is True:
            self.streams[outcome is Outcome.OK] += 1
            self._time_stream((listener, dialect, "client"), sent, began_at)
            self._time_stream((listener, dialect, "upstream"), received, entry.get("asked_at"))
        self._count_second(int(self._clock()))

    def _count_faults(self, listener: str, entry: Entry) -> bool:
        """Whether any of them took effect."""
        attached, misses = entry.get("attached") or (), entry.get("misses") or ()
        if not attached and not misses:
            return False
        injected, reasons = False, {miss["fault"]: miss["reason"] for miss in misses}
        for fault in {*attached, *reasons}:
            fate = fate_of(reasons.get(fault), attached=fault in attached)
            series = (listener, *self._named(fault))
            self.seen[series] += 1
            self.fates[fate][series] += 1
            injected = injected or fate is Fate.INJECTED
        return injected

    def _time_stream(self, labels: tuple[str, str, str], edge: dict[str, Any], since: float | None) -> None:
        first_at = edge.get("first_content_at")
        if first_at is None or since is None:
            return
        self.ttft[labels].add(first_at - since)
        if labels[-1] == "client":
            self.ttfts_s.append(first_at - since)
        tokens, end_at = edge.get("tokens", 0), edge.get("end_at")
        if tokens > 1 and end_at is not None:
            self.chunks[labels].add((end_at - first_at) / (tokens - 1))

    def _hit(self, entry: Entry) -> None:
        if entry.get("exchange") is None:
            self.connection_hits[(entry.get("listener"), *self._named(entry.get("fault")))] += 1

    def _fault(self, entry: Entry) -> None:
        fault = entry.get("fault")
        if fault in self._types or len(self._types) < FAULTS_MAX:
            self._types[fault] = entry.get("fault_type") or ""

    def _connection(self, entry: Entry) -> None:
        listener = entry.get("listener")
        self.connections[listener, entry.get("ended")] += 1
        self.connection_bytes[listener, "upstream"] += entry.get("upstream_bytes") or 0
        self.connection_bytes[listener, "downstream"] += entry.get("downstream_bytes") or 0
        if entry.get("error") is not None:
            self.upstream_errors[listener, "connect"] += 1

    def _lag(self, entry: Entry) -> None:
        if entry.get("what") == "loop":
            self.lag_p99_s, self.lag_max_s = entry.get("p99_s"), entry.get("max_s")

    def _trouble(self, entry: Entry) -> None:
        self.troubles[entry.get("part")] += 1

    def _named(self, fault: str) -> tuple[str, str]:
        """A fault's label and its type."""
        if (fault_type := self._types.get(fault)) is not None:
            return fault, fault_type
        if fault.startswith(_ASKED_PREFIX):
            fault_type = fault.removeprefix(_ASKED_PREFIX).partition("-")[0]
            return ASKED_FOR, fault_type if fault_type in self._known else ""
        return OTHER, ""

    def _count_second(self, second: int) -> None:
        if self._rates and self._rates[-1][0] == second:
            self._rates[-1] = (second, self._rates[-1][1] + 1)
            return
        self._rates.append((second, 1))
        self._forget(second)

    def _forget(self, now: int) -> None:
        while self._rates and self._rates[0][0] <= now - RATE_S:
            self._rates.popleft()
