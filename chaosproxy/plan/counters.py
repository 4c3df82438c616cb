"""What must be counted over many exchanges, behind one small interface so that workers can share it later."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Protocol

from chaosproxy.faults.base import Bucket
from chaosproxy.plan.attempts import Attempts


class Counters(Protocol):
    """Ordinals and attempts at listeners; ordinals, hits and quotas of the rules of one plan."""

    def arrival(self, listener: str) -> int:
        """Count one more exchange at a listener; its number, from 1."""

    def arrivals(self, listener: str) -> int:
        """How many exchanges have come to a listener."""

    def attempt(self, key: str) -> int:
        """Count one more attempt under this key; its number, from 1."""

    def ordinal(self, rule_id: str) -> int:
        """Count one more matching exchange; its number, from 1."""

    def chosen(self, rule_id: str) -> int:
        """How many exchanges hold a hit or may still get one."""

    def choose(self, rule_id: str) -> None:
        """One more exchange was chosen."""

    def release(self, rule_id: str) -> None:
        """A chosen exchange was not hit after all."""

    def bucket(self, rule_id: str, quota: str, per_minute: float) -> Bucket:
        """One quota of a rule: requests or tokens."""

    def seats(self, rule_id: str, size: int) -> Seats:
        """The seats of a rule, ``size`` of them."""

    def leave(self, exchange: str) -> list[tuple[str, str]]:
        """An exchange has ended, and gives back its seats: the rules, and the exchanges whose turn it is there."""

    def vacate(self, rule_id: str) -> None:
        """The rule ceased to act: it has no seats, and nobody waits for one."""

    def forget(self, rule_id: str) -> None:
        """The rule is gone: a later one of the same id starts at zero."""

    def forget_calls(self) -> None:
        """No call has been attempted yet."""


class TokenBucket:
    """A quota that refills steadily: full at the start, ``per_minute`` a minute."""

    def __init__(self, per_minute: float) -> None:
        self._size = per_minute
        self._left = per_minute
        self._at: float | None = None

    def take(self, amount: float, at: float) -> float:
        """0.0 when granted, else the seconds until ``amount`` would be there."""
        if self._at is not None:
            self._left = min(self._size, self._left + (at - self._at) * self._size / 60)
        self._at = at
        if amount <= self._left:
            self._left -= amount
            return 0.0
        return (amount - self._left) * 60 / self._size


class Seats:
    """So many exchanges at once; the others wait in the order in which they came, or do without."""

    __slots__ = ("_size", "_taken", "_waiting")

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken: set[str] = set()
        self._waiting: OrderedDict[str, None] = OrderedDict()

    def take(self, exchange: str, *, wait: bool) -> bool:
        """Whether there is a seat for it; if not, it may ``wait`` for the next."""
        if len(self._taken) < self._size:
            self._taken.add(exchange)
            return True
        if wait:
            self._waiting[exchange] = None
        return False

    def leave(self, exchange: str) -> str | None:
        """It has ended, or given up waiting. Who gets its seat, if it had one and somebody waits."""
        self._waiting.pop(exchange, None)
        if exchange not in self._taken:
            return None
        self._taken.remove(exchange)
        if not self._waiting:
            return None
        following, _ = self._waiting.popitem(last=False)
        self._taken.add(following)
        return following


class LocalCounters:
    """Counters of a single process. ``calls`` is how many keys of attempts are remembered."""

    def __init__(self, calls: int = 100_000) -> None:
        self._arrivals: Counter[str] = Counter()
        self._calls = calls
        self._attempts = Attempts(calls)
        self._ordinals: Counter[str] = Counter()
        self._chosen: Counter[str] = Counter()
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._seats: dict[str, Seats] = {}

    def arrival(self, listener: str) -> int:
        self._arrivals[listener] += 1
        return self._arrivals[listener]

    def arrivals(self, listener: str) -> int:
        return self._arrivals[listener]

    def attempt(self, key: str) -> int:
        return self._attempts.next(key)

    def ordinal(self, rule_id: str) -> int:
        self._ordinals[rule_id] += 1
        return self._ordinals[rule_id]

    def chosen(self, rule_id: str) -> int:
        return self._chosen[rule_id]

    def choose(self, rule_id: str) -> None:
        self._chosen[rule_id] += 1

    def release(self, rule_id: str) -> None:
        self._chosen[rule_id] -= 1

    def bucket(self, rule_id: str, quota: str, per_minute: float) -> Bucket:
        return self._buckets.setdefault((rule_id, quota), TokenBucket(per_minute))

    def seats(self, rule_id: str, size: int) -> Seats:
        return self._seats.setdefault(rule_id, Seats(size))

    def leave(self, exchange: str) -> list[tuple[str, str]]:
        turns = [(rule_id, seats.leave(exchange)) for rule_id, seats in self._seats.items()]
        return [(rule_id, following) for rule_id, following in turns if following is not None]

    def vacate(self, rule_id: str) -> None:
        self._seats.pop(rule_id, None)

    def forget(self, rule_id: str) -> None:
        self.vacate(rule_id)
        self._ordinals.pop(rule_id, None)
        self._chosen.pop(rule_id, None)
        for key in [key for key in self._buckets if key[0] == rule_id]:
            del self._buckets[key]

    def forget_calls(self) -> None:
        self._attempts = Attempts(self._calls)
