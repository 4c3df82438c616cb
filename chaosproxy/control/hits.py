"""How many requests each active fault met, for whoever looks at a running proxy."""

from __future__ import annotations

from collections import defaultdict

from chaosproxy.journal.entry import Entry


class Hits:
    """Counted from the journal: an exchange that a fault met several times counts once."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}  # of the faults that are active
        self._met: defaultdict[str, set[str]] = defaultdict(set)  # open exchanges, and the faults that met them

    def of(self, fault: str) -> int:
        """Since the fault began."""
        return self._counts.get(fault, 0)

    def add(self, entry: Entry) -> None:
        """Take a record in."""
        match entry.get("type"):
            case "hit":
                self._hit(entry.get("fault"), entry.get("exchange"))
            case "exchange":
                self._met.pop(entry.get("id") or "", None)
            case "fault" if entry.get("edge") == "applied":
                self._counts[entry.get("fault") or ""] = 0
            case "fault" if entry.get("edge") == "healed":
                self._counts.pop(entry.get("fault") or "", None)

    def _hit(self, fault: str, exchange: str | None) -> None:
        if fault not in self._counts:
            return  # it was asked for by a header, or is over
        if exchange is None or fault not in self._met[exchange]:
            self._counts[fault] += 1
        if exchange is not None:
            self._met[exchange].add(fault)
