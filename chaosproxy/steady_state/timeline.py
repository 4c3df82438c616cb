"""When things happened: the marks of a run, the spells of its faults, and windows as spans of time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from chaosproxy.journal.records import AnyRecord, Attached, Ended, FaultEdge, Mark, Opened, Run
from chaosproxy.journal.traffic import Call, ConnectionRecord, ExchangeRecord, Sent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from chaosproxy.steady_state.claims import Moment, Window

_MARK_OF = {"start": "warmup", "origin": "origin", "drained": "drained"}


LATE_SHARE = 0.1
"""A fault may begin late, or end early, by this part of its planned duration ..."""
LATE_S = 0.5
"""... or by this, whatever is more, but never by half of its duration."""
LEASE = "lease"
"""Why a fault ended that nobody kept alive."""


class Unknowable(Exception):
    """Something cannot be known from this journal; the text says why. It never leaves this room."""


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` (included) to ``end`` (excluded), on the journal's clock."""

    text: str
    start: float
    end: float

    def __contains__(self, at: float | None) -> bool:
        return at is not None and self.start <= at < self.end

    @property
    def length_s(self) -> float:
        """How long it is; its ends are sums, whose rounding errors would make a rate that is met exactly fail."""
        return round(self.end - self.start, 6)


@dataclass(frozen=True, slots=True)
class Spell:
    """When a fault acted: from its first application to its last heal (None: the journal does not tell).

    ``why`` it ended; a lease that ran out is never outdone by a later reason. ``listeners``: where it was applied.
    ``unseen``: why nobody can know whom it met, if that came out when it began.
    """

    applied_at: float
    healed_at: float | None = None
    why: str = ""
    listeners: frozenset[str] = frozenset()
    unseen: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """``last_at`` is the time of the last record; ``quiet_tail_s`` comes from the claims.

    ``clock_error_s``: by how much the times of faults may be wrong, which another clock told than those of calls.
    ``margin_s``: by how much windows that hang on faults are wider than their faults say; narrower when negative.
    """

    marks: Mapping[str, float] = field(default_factory=dict)
    spells: Mapping[str, Spell] = field(default_factory=dict)
    last_at: float = 0.0
    quiet_tail_s: float = 0.0
    clock_error_s: float = 0.0
    margin_s: float = 0.0

    @property
    def origin(self) -> float | None:
        """The run's t = 0, or None when it ended in its warm-up."""
        return self.marks.get("origin")

    @property
    def over(self) -> float:
        """The end of the timeline; of a run that broke off, its last moment."""
        return self.marks.get("over", self.last_at)

    @property
    def injection(self) -> float | None:
        """When the first fault began to act."""
        return min((spell.applied_at for spell in self.spells.values()), default=None)

    def holds(self, at: float) -> bool:
        """Whether a time is of the run; traffic that is not ours went on before it, and does after it."""
        begin, over = self.marks.get("warmup", self.origin), self.marks.get("over", float("inf"))
        return begin is not None and begin <= at < over

    def since_origin(self, at: float | None) -> float | None:
        """Seconds after t = 0."""
        return None if at is None or self.origin is None else at - self.origin

    def with_faults(self, later_s: float) -> Timeline:
        """The same with all faults so much later."""
        spells = {
            fault: replace(
                spell,
                applied_at=spell.applied_at + later_s,
                healed_at=None if spell.healed_at is None else spell.healed_at + later_s,
            )
            for fault, spell in self.spells.items()
        }
        return replace(self, spells=spells)

    def at(self, moment: Moment) -> float:
        """The time of a moment. Raises Unknowable when the run never came there."""
        return self._mark(moment.mark) + moment.offset_s

    def span(self, window: Window) -> Span:
        """A window as a span. Raises Unknowable when one of its ends is, or when it is empty."""
        start, end = self.at(window.start), self.at(window.end)
        start -= self.margin_s if _is_of_fault(window.start) else 0.0
        end += self.margin_s if _is_of_fault(window.end) else 0.0
        span = Span(window.text, start, end)
        if span.length_s <= 0:
            raise Unknowable(f"the window {window.text!r} is empty in this run")
        return span

    def unseen_s(self, span: Span) -> float:
        """How much of it comes after the end of the timeline; 0 for as much as a fault may be late."""
        over = self.marks.get("over")
        if over is None or span.end <= over or math.isinf(span.end):
            return 0.0
        tolerated_s = min(max(LATE_SHARE * span.length_s, LATE_S), span.length_s / 2)
        return span.end - over if span.end - over > tolerated_s else 0.0

    def spell(self, fault: str) -> Spell:
        """When a fault acted. Raises Unknowable when it never did."""
        if fault not in self.spells:
            raise Unknowable(f"fault {fault!r} was never applied")
        return self.spells[fault]

    def healed_at(self, fault: str) -> float:
        """When a fault ended. Raises Unknowable when that was not seen."""
        healed = self.spell(fault).healed_at
        if healed is None:
            raise Unknowable(f"the journal does not say when fault {fault!r} was healed")
        return healed

    def _mark(self, mark: str) -> float:
        fault, dot, edge = mark.rpartition(".")
        if dot:
            return self.spell(fault).applied_at if edge == "applied" else self.healed_at(fault)
        match mark:
            case "over":
                return self.over
            case "tail" if "over" not in self.marks:
                raise Unknowable("the run ended before its tail")
            case "tail":
                return self.over - self.quiet_tail_s
            case "injection":
                return self.over if self.injection is None else self.injection
        at = self.marks.get(_MARK_OF[mark])
        if at is None:
            raise Unknowable(f"the run ended before its {mark}")
        return at


def _is_of_fault(moment: Moment) -> bool:
    return "." in moment.mark or moment.mark == "injection"


def timeline_of(records: Iterable[AnyRecord], quiet_tail_s: float) -> Timeline:
    """Marks and spells of a journal."""
    marks: dict[str, float] = {}
    spells: dict[str, Spell] = {}
    last_at = clock_error_s = 0.0
    for record in records:
        match record:
            case Attached():
                clock_error_s = max(clock_error_s, record.error_s)
            case Mark():
                marks.setdefault(record.name, record.at)
            case FaultEdge():
                _enter(spells, record)
        last_at = max(last_at, _time_of(record))
    return Timeline(marks, spells, last_at, quiet_tail_s, clock_error_s)


def _enter(spells: dict[str, Spell], edge: FaultEdge) -> None:
    spell = spells.get(edge.fault, Spell(edge.at))
    if edge.edge == "applied":
        listeners = spell.listeners.union(edge.listeners)
        applied_at, unseen = min(edge.at, spell.applied_at), spell.unseen or edge.why
        spells[edge.fault] = replace(spell, applied_at=applied_at, listeners=listeners, unseen=unseen)
    elif edge.edge == "healed" and edge.fault in spells:
        healed_at = edge.at if spell.healed_at is None else max(edge.at, spell.healed_at)
        why = spell.why if spell.why == LEASE else edge.why
        spells[edge.fault] = replace(spell, healed_at=healed_at, why=why)


def _time_of(record: AnyRecord) -> float:
    match record:
        case Opened():
            return record.mono
        case Run():
            return 0.0
        case Call():
            return record.end_at or record.intended_at
        case Sent():
            return record.sent_at
        case ExchangeRecord():
            return record.sent.end_at or record.began_at
        case ConnectionRecord():
            return record.end_at
        case Ended():
            return record.at
        case _:
            return record.at
