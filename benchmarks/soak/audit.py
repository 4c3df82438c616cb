"""The sums of a journal, record by record: what was opened was closed, and what each fault did is accounted for.

Nothing is kept of an exchange that is over, so that a journal of hours takes no memory to speak of.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from msgspec.json import decode

from chaosproxy.control.figures import ASKED_FOR
from chaosproxy.control.outcomes import Fate, fate_of
from chaosproxy.faults import fault_class
from chaosproxy.faults.base import Room

FLAWS_TOLD = 5
"""Of each kind, in full; the others are only counted."""
SLACK_S = 1.0
"""Ends of faults are in the journal in the order of time, give or take a late timer."""
_ASKED_PREFIX = f"{ASKED_FOR}."


@dataclass(slots=True)
class Acting:
    """One stretch of time in which a fault acted at some listeners."""

    fault: str
    listeners: frozenset[str]
    from_s: float
    until_s: float = float("inf")
    decides: bool = True
    """Whether each new exchange is asked about it; not so for what acts on connections."""


@dataclass(slots=True)
class Audit:
    """Takes in all records of one proxy, in their order."""

    records: Counter[str] = field(default_factory=Counter)
    exchanges: Counter[str] = field(default_factory=Counter)
    connections: Counter[str] = field(default_factory=Counter)
    fates: Counter[Fate] = field(default_factory=Counter)
    fault_types: Counter[str] = field(default_factory=Counter)
    """Exchanges that each type of fault hit."""
    healed: Counter[str] = field(default_factory=Counter)
    """Ends of faults, by why."""
    flaws: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    longest_s: float = 0.0
    """The longest exchange."""
    opened: Counter[str] = field(default_factory=Counter)
    """By listener, as far as numbers have come."""
    _closed: Counter[str] = field(default_factory=Counter)  # all numbers up to this one
    _beyond: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))  # and these
    _hits: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _types: dict[str, str] = field(default_factory=dict)
    _acting: dict[str, Acting] = field(default_factory=dict)
    _over: list[Acting] = field(default_factory=list)

    def read(self, lines: Iterable[bytes]) -> Audit:
        """Take in a journal."""
        for line in lines:
            self.add(decode(line))
        return self

    def add(self, record: dict[str, Any]) -> None:
        """Take in one record."""
        kind = record["type"]
        self.records[kind] += 1
        match kind:
            case "fault":
                self._edge(record)
            case "hit" if record.get("exchange") is not None:
                self._hit(record)
            case "exchange":
                self._exchange(record)
            case "connection":
                self._connection(record)
            case "trouble" if record["part"] != "limits":
                self._flaw("trouble", f"{record['part']}: {record['detail']}")

    def close(self) -> Audit:
        """No more will come: what is still open now was never closed."""
        for listener, opened in self.opened.items():
            if missing := opened - self._closed[listener] - len(self._beyond[listener]):
                self._flaw("opened and not closed", f"{missing} at {listener}", missing)
        for exchange, faults in self._hits.items():
            self._flaw("hit without an exchange", f"{exchange}: {', '.join(faults)}")
        for acting in self._acting.values():
            self._flaw("fault never healed", acting.fault)
        return self

    @property
    def seen(self) -> int:
        """Pairs of an exchange and a fault that saw it."""
        return sum(self.fates.values())

    # records ----------------------------------------------------------------------------------------------------------

    def _edge(self, record: dict[str, Any]) -> None:
        fault, at_s = record["fault"], record["at"]
        if record["edge"] == "healed":
            self.healed[record["why"]] += 1
        if record["edge"] in ("applied", "flap_down"):
            if fault in self._acting:
                self._flaw("fault applied twice", fault)
            kind = self._types[fault] = record["fault_type"]
            self._acting[fault] = Acting(fault, frozenset(record["listeners"]), at_s, decides=_decides(kind))
        elif (acting := self._acting.pop(fault, None)) is not None:
            acting.until_s = at_s
            self._over.append(acting)

    def _hit(self, record: dict[str, Any]) -> None:
        if record["fault"] in self._hits[record["exchange"]]:
            self.records["hit again"] += 1
        self._hits[record["exchange"]].add(record["fault"])

    def _exchange(self, record: dict[str, Any]) -> None:
        listener, ordinal = record["listener"], record["ordinal"]
        self.exchanges[listener] += 1
        self._count(listener, ordinal)
        attached = set(record.get("attached", ()))
        misses = {miss["fault"]: miss["reason"] for miss in record.get("misses", ())}
        hits = self._hits.pop(record["id"], set())
        for fault in attached | misses.keys():
            fate = fate_of(misses.get(fault), attached=fault in attached)
            self.fates[fate] += 1
            if fate is Fate.INJECTED:
                self.fault_types[self._type(fault)] += 1
            if (fate is Fate.INJECTED) != (fault in hits):
                self._flaw(f"{fate} {'with' if fault in hits else 'without'} a hit", f"{fault} in {record}")
        for fault in hits - attached - misses.keys():
            self._flaw("hit and not attached", f"{fault} in {record}")
        self._check_seen(record, attached | misses.keys())

    def _connection(self, record: dict[str, Any]) -> None:
        self.connections[record["listener"]] += 1
        self._count(record["listener"], record["number"])
        if record["end_at"] < record["began_at"]:
            self._flaw("a connection that ended before it began", str(record))

    def _check_seen(self, record: dict[str, Any], told: set[str]) -> None:
        """Whether it was told of each fault that acted while it was decided about, and of no other."""
        listener, began_s = record["listener"], record["began_at"]
        end_s = max((record.get(edge, {}).get("end_at", began_s) for edge in ("sent", "received")), default=began_s)
        self.longest_s = max(self.longest_s, end_s - began_s)
        decided_s = record.get("asked_at") or end_s
        first = bisect_left(self._over, began_s - SLACK_S, key=lambda each: each.until_s)
        near = [*self._over[first:], *self._acting.values()]
        here = [each for each in near if listener in each.listeners]
        for each in here:
            asked = each.decides and each.from_s < began_s and each.until_s > decided_s
            if asked and each.fault not in told:
                self._flaw("not told of an active fault", f"{each.fault} in {record}")
        # What held a request back on its connection, and let it go at its end, has met it before it began.
        known = {each.fault for each in here if each.until_s >= began_s or not each.decides}
        for fault in told - known:
            if not fault.startswith(_ASKED_PREFIX):
                self._flaw("told of a fault that was not active", f"{fault} in {record}")

    # inside -----------------------------------------------------------------------------------------------------------

    def _count(self, listener: str, ordinal: int) -> None:
        """Numbers from 1 without a gap are kept as one, and only those behind a gap one by one."""
        beyond = self._beyond[listener]
        if ordinal in beyond or ordinal <= self._closed[listener]:
            self._flaw("closed twice", f"{listener} {ordinal}")
            return
        self.opened[listener] = max(self.opened[listener], ordinal)
        beyond.add(ordinal)
        while self._closed[listener] + 1 in beyond:
            self._closed[listener] += 1
            beyond.remove(self._closed[listener])

    def _type(self, fault: str) -> str:
        return ASKED_FOR if fault.startswith(_ASKED_PREFIX) else self._types.get(fault, "?")

    def _flaw(self, kind: str, words: str, count: int = 1) -> None:
        if self.flaws[kind] < FLAWS_TOLD:
            self.told.append(f"{kind}: {words}")
        self.flaws[kind] += count


def _decides(fault_type: str) -> bool:
    return fault_class(fault_type).room is not Room.TOXIC
