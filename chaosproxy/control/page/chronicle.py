"""What happened at a proxy that is worth a line to somebody who watches: faults, failures, troubles."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import cast

from chaosproxy.control.page.messages import Line
from chaosproxy.errors import printable
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.lines import exchange_line
from chaosproxy.journal.records import AnyRecord, FaultEdge, Trouble
from chaosproxy.journal.traffic import ExchangeRecord, FaultHit

LINES_KEPT = 60
"""As many lines are shown; of a burst, the newest."""
HITS_KEPT = 4
"""As many hits of one exchange are told."""
_EDGES = {
    "applied": "begins on",
    "healed": "is over on",
    "flap_down": "acts again on",
    "flap_up": "pauses on",
}


class Chronicle:
    """``add`` takes each journal entry, cheaply; words are made of those that are still there when somebody looks."""

    def __init__(self) -> None:
        self._hits: defaultdict[str, list[Entry]] = defaultdict(list)  # by exchanges that have not ended
        self._count = 0
        self._waiting: deque[tuple[int, Entry, list[Entry]]] = deque(maxlen=LINES_KEPT)
        self._lines: deque[Line] = deque(maxlen=LINES_KEPT)

    def add(self, entry: Entry) -> None:
        """Take a record in."""
        match entry.get("type"):
            case "exchange":
                hits = self._hits.pop(entry.get("id") or "", [])
                if hits or _failed(entry):
                    self._keep(entry, hits)
            case "hit":
                exchange = entry.get("exchange")
                if exchange is None:
                    self._keep(entry, [])
                elif len(self._hits[exchange]) < HITS_KEPT:
                    self._hits[exchange].append(entry)
            case "fault" | "trouble":
                self._keep(entry, [])

    def lines(self) -> tuple[Line, ...]:
        """The newest, oldest first."""
        while self._waiting:
            number, entry, hits = self._waiting.popleft()
            told = [cast("FaultHit", hit.record) for hit in hits]
            kind, at, text = _told(entry.record, told)
            self._lines.append(Line(number=number, at=at, kind=kind, text=printable(text)))
        return tuple(self._lines)

    def _keep(self, entry: Entry, hits: list[Entry]) -> None:
        self._count += 1
        self._waiting.append((self._count, entry, hits))


def _failed(entry: Entry) -> bool:
    sent = entry.get("sent") or {}
    return sent.get("ended") != "end" or (sent.get("status") or 0) >= 400 or entry.get("error") is not None


def _told(record: AnyRecord, hits: list[FaultHit]) -> tuple[str, float, str]:
    """Kind, time and words."""
    match record:
        case ExchangeRecord():
            at = record.sent.end_at or record.began_at
            return "exchange", at, f"{record.listener} {exchange_line(record, hits)}"
        case FaultHit():
            return "exchange", record.at, f"{record.listener}: {record.detail} ({record.fault})"
        case FaultEdge():
            why = f" ({record.why})" if record.why else ""
            edge = _EDGES.get(record.edge, record.edge)
            return "fault", record.at, f"{record.fault} {edge} {', '.join(record.listeners)}{why}"
        case Trouble():
            return "trouble", record.at, f"{record.part}: {record.detail}"
    return "trouble", 0.0, ""
