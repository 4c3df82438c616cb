"""What must be counted over many exchanges, behind one small interface so that workers can share it later."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from chaosproxy.faults.base import Bucket


class Counters(Protocol):
    """Ordinals, hits and quotas of the rules of one plan."""

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

    def forget(self, rule_id: str) -> None:
        """The rule is gone: a later one of the same id starts at zero."""


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


class LocalCounters:
    """Counters of a single process."""

    def __init__(self) -> None:
        self._ordinals: Counter[str] = Counter()
        self._chosen: Counter[str] = Counter()
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def ordinal(self, rule_id: str) -> int:
        self._ordinals[rule_id] += 1
        return self._ordinals[rule_id]

    def chosen(self, rule_id: str) -> int:
        return self._chosen[rule_id]

    def choose(self, rule_id: str) -> None:
        self._chosen[rule_id] += 1

    def release(self, rule_id: str) -> None:
        # A replaced rule's last exchanges are released after its successor began to count anew.
        self._chosen[rule_id] = max(0, self._chosen[rule_id] - 1)

    def bucket(self, rule_id: str, quota: str, per_minute: float) -> Bucket:
        return self._buckets.setdefault((rule_id, quota), TokenBucket(per_minute))

    def forget(self, rule_id: str) -> None:
        self._ordinals.pop(rule_id, None)
        self._chosen.pop(rule_id, None)
        for key in [key for key in self._buckets if key[0] == rule_id]:
            del self._buckets[key]
