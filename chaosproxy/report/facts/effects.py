"""Part 3: what each fault really did: whom it hit and when, and what became of the bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from chaosproxy.journal.records import FaultEdge
from chaosproxy.journal.traffic import ExchangeRecord, FaultHit
from chaosproxy.report.facts.outline import Outline
from chaosproxy.report.facts.phases import Phase, PhaseCounter, phases_of_faults
from chaosproxy.report.facts.reservoir import Reservoir
from chaosproxy.steady_state.history import Story

TICKS_MAX = 500
DETAILS_SHOWN = 5
_DETAILS_MAX = 200
_UNMATCHED_MAX = 10_000
_T = TypeVar("_T")
_SHARE = re.compile(r"share: drew [\d.]+, chosen below ([\d.]+)")
_NOT_APPLICABLE = re.compile(r"not applicable|cannot|not known", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bytes:
    """What the answers lost (or gained, negative) between upstream and client, over the ``answers`` that were hit.

    ``unasked`` never reached their upstream.
    """

    answers: int = 0
    unasked: int = 0
    bytes_lost: int = 0
    events_lost: int = 0
    tokens_lost: int = 0


@dataclass(frozen=True, slots=True)
class Effect:
    """One fault. Times are seconds since t = 0; ``ticks`` are moments of hits (a sample when there are many).

    ``share`` is what was planned, ``realised`` what came out of ``drawn`` draws; None when nothing was drawn.
    ``details`` are the fault's own words, the most frequent ones first. ``meanwhile``: the calls while it acted.
    """

    id: str
    type: str
    listeners: tuple[str, ...]
    applied_at_s: float | None
    healed_at_s: float | None
    why: str
    hits: int
    ticks: Sequence[float]
    share: float | None
    drawn: int
    realised: float | None
    details: Sequence[tuple[str, int]]
    bytes: Bytes
    not_applicable: Mapping[str, int]
    meanwhile: Phase | None


@dataclass(slots=True)
class _Tally:
    hits: int = 0
    ticks: Reservoir[float] = field(default_factory=lambda: Reservoir(TICKS_MAX))
    details: Counter[str] = field(default_factory=Counter)
    misses: Counter[str] = field(default_factory=Counter)
    share: float | None = None
    unlucky: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    seen: dict[str, None] = field(default_factory=dict)


class EffectCounter:
    """Gathers them; ``feed_*`` in the order of the journal."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._tallies: dict[str, _Tally] = {fault: _Tally() for fault in outline.spells}
        self._phases: dict[str, PhaseCounter] = phases_of_faults(outline)
        self._exchanges: dict[str, ExchangeRecord] = {}
        self._struck: dict[str, tuple[str, ...]] = {}

    def feed_hit(self, hit: FaultHit) -> None:
        """One hit; an exchange counts once for a fault, a connection without one each time."""
        tally = self._tallies.setdefault(hit.fault, _Tally())
        if hit.exchange is not None:
            if hit.exchange in tally.seen:
                return
            _remember(tally.seen, hit.exchange, None)
            if exchange := self._exchanges.get(hit.exchange):
                _count_loss(tally, exchange)
            else:  # a hit may stand before its exchange
                _remember(self._struck, hit.exchange, (*self._struck.get(hit.exchange, ()), hit.fault))
        tally.hits += 1
        tally.ticks.add(hit.at - self._outline.origin)
        if len(tally.details) < _DETAILS_MAX or hit.detail in tally.details:
            tally.details[hit.detail] += 1

    def feed_exchange(self, exchange: ExchangeRecord) -> None:
        """One exchange."""
        _remember(self._exchanges, exchange.id, exchange)
        for fault in self._struck.pop(exchange.id, ()):
            _count_loss(self._tallies[fault], exchange)
        for miss in exchange.misses:
            tally = self._tallies.setdefault(miss.fault, _Tally())
            if share := _SHARE.match(miss.reason):
                tally.share = float(share[1])
                tally.unlucky += 1
            elif _NOT_APPLICABLE.search(miss.reason) and len(tally.misses) < _DETAILS_MAX:
                tally.misses[miss.reason] += 1

    def feed(self, story: Story) -> None:
        """One call."""
        for phase in self._phases.values():
            phase.feed(story)

    def done(self) -> tuple[Effect, ...]:
        """The part, in the order in which the faults began."""
        order = sorted(self._tallies, key=lambda fault: self._began(fault) or 0.0)
        return tuple(self._effect(fault, self._tallies[fault]) for fault in order)

    def _began(self, fault: str) -> float | None:
        spell = self._outline.spells.get(fault)
        return None if spell is None else spell.applied_at

    def _effect(self, fault: str, tally: _Tally) -> Effect:
        outline, spell = self._outline, self._outline.spells.get(fault)
        applied_at, healed_at = (None, None) if spell is None else (spell.applied_at, spell.healed_at)
        drawn = tally.hits + tally.unlucky if tally.share is not None else 0
        lost = tally.lost
        return Effect(
            id=fault,
            type=_type_of(outline.edges, fault),
            listeners=() if spell is None else tuple(sorted(spell.listeners)),
            applied_at_s=None if applied_at is None else applied_at - outline.origin,
            healed_at_s=None if healed_at is None else healed_at - outline.origin,
            why="" if spell is None else spell.why,
            hits=tally.hits,
            ticks=sorted(tally.ticks),
            share=tally.share,
            drawn=drawn,
            realised=tally.hits / drawn if drawn else None,
            details=tally.details.most_common(DETAILS_SHOWN),
            bytes=Bytes(lost["answers"], lost["unasked"], lost["bytes"], lost["events"], lost["tokens"]),
            not_applicable=dict(tally.misses.most_common(DETAILS_SHOWN)),
            meanwhile=self._phases[fault].done(outline.origin) if fault in self._phases else None,
        )


def _remember(known: dict[str, _T], key: str, value: _T) -> None:
    """With a bound; the oldest are forgotten."""
    known[key] = value
    if len(known) > _UNMATCHED_MAX:
        del known[next(iter(known))]


def _count_loss(tally: _Tally, exchange: ExchangeRecord) -> None:
    received, sent = exchange.received, exchange.sent
    tally.lost["answers"] += 1
    if exchange.asked_at is None:
        tally.lost["unasked"] += 1
        return
    tally.lost["bytes"] += received.bytes - sent.bytes
    tally.lost["events"] += received.events - sent.events
    tally.lost["tokens"] += received.tokens - sent.tokens


def _type_of(edges: Sequence[FaultEdge], fault: str) -> str:
    return next((edge.fault_type for edge in edges if edge.fault == fault and edge.fault_type), "")
