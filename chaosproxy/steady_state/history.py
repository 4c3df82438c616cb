"""The journal as a history of calls: each with the exchanges that it cost, the faults that hit them, its outcome."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from chaosproxy.journal.records import AnyRecord, Probed, Trouble
from chaosproxy.journal.traffic import Call, ConnectionRecord, ExchangeRecord, FaultHit, Lag, Sent, Underway
from chaosproxy.steady_state.entry_calls import is_unread, own_call, seen_calls, uncertainty_at_entry, unended
from chaosproxy.steady_state.our_part import REFUSING_PART, late_s, reaches, with_our_part
from chaosproxy.steady_state.outcome import (
    ADMITTED,
    ANSWERED,
    Outcome,
    Uncertainty,
    classify,
    reference_for,
    source_of,
    uncertainty_of,
)
from chaosproxy.steady_state.timeline import Span, Timeline, timeline_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chaosproxy.steady_state.claims import Claims


@dataclass(frozen=True, slots=True)
class Story:
    """One call. ``exchanges`` in the order in which they began; ``hits`` are what faults did to them."""

    call: Call
    outcome: Outcome
    exchanges: tuple[ExchangeRecord, ...] = ()
    hits: tuple[FaultHit, ...] = ()
    source: ExchangeRecord | None = None
    """Who answered."""
    uncertainty: Uncertainty | None = None
    """What else its outcome may be."""
    edge: ExchangeRecord | None = None
    """What passed at the entry listener, where that is before the system and its calls are made of it."""

    @property
    def id(self) -> str:
        """The call's id."""
        return self.call.id

    @property
    def surely_ok(self) -> bool:
        """Nothing else can be true than that it got the right text, whole."""
        return self.outcome is Outcome.OK and self.uncertainty is None

    @property
    def perhaps_ok(self) -> bool:
        """Nothing excludes that it got the right text, whole."""
        return self.outcome is Outcome.OK or (self.uncertainty is not None and Outcome.OK in self.uncertainty.perhaps)

    @property
    def answered(self) -> bool:
        """The client believes that it has a whole answer."""
        return self.outcome in ANSWERED

    @property
    def admitted(self) -> bool:
        """The client knows that it has no answer."""
        return self.outcome in ADMITTED

    @property
    def sent_at(self) -> float:
        """When it was sent, or should have been."""
        return self.call.intended_at if self.call.sent_at is None else self.call.sent_at

    @property
    def end_at(self) -> float:
        """When it ended; infinity when it did not."""
        return float("inf") if self.call.end_at is None else self.call.end_at

    def is_open_at(self, moments: Iterable[float]) -> bool:
        """Whether it was under way at any of them."""
        return any(self.sent_at < moment < self.end_at for moment in moments)

    @property
    def answer_at(self) -> float | None:
        """When its client had something to read: the first content of a stream, the end of a plain answer."""
        return self.call.first_content_at if self.call.stream else self.call.end_at

    def hits_on(self, exchange: ExchangeRecord | None) -> tuple[FaultHit, ...]:
        """What faults did to one of its exchanges."""
        return tuple(hit for hit in self.hits if exchange is not None and hit.exchange == exchange.id)


@dataclass(frozen=True, slots=True)
class History:
    """A journal, joined. ``stories`` are sorted by intended time; calls that were never sent are in ``dropped``.

    ``spared`` are the calls of the control cohort: they are no part of ``stories``, which faults were for.
    """

    timeline: Timeline
    stories: tuple[Story, ...]
    dropped: tuple[Call, ...]
    exchanges: tuple[ExchangeRecord, ...]
    hits: tuple[FaultHit, ...]
    lags: tuple[Lag, ...]
    claims: Claims
    probes: tuple[Probed, ...] = ()
    """Runs of probes, in the order in which they began."""
    connections: tuple[ConnectionRecord, ...] = ()
    """At listeners whose traffic is not HTTP."""
    spared: tuple[Story, ...] = ()
    pending: tuple[Underway, ...] = ()
    """Requests at the backends that had not ended when somebody looked last."""

    @property
    def asked(self) -> tuple[ExchangeRecord, ...]:
        """What was asked for at the backends: all but the calls at an entry listener before the system."""
        front = self.claims.front
        if front is not None:
            return tuple(each for each in self.exchanges if each.listener != front)
        edges = set() if self.claims.external else {story.edge.id for story in self.everyone if story.edge is not None}
        return tuple(each for each in self.exchanges if each.id not in edges) if edges else self.exchanges

    @property
    def everyone(self) -> tuple[Story, ...]:
        """All calls, those of the control cohort included."""
        return (*self.stories, *self.spared)

    def calls(self, span: Span, cohort: Literal["new", "in_flight", "control"] | None = None) -> list[Story]:
        """The calls that belong to a window and to a cohort.

        By their intended time, but for those in flight: they were sent before what met them, so they belong to the
        window in which a fault began while they were under way.
        """
        begins = [spell.applied_at for spell in self.timeline.spells.values()]
        match cohort:
            case None:
                return [story for story in self.stories if story.call.intended_at in span]
            case "control":
                return [story for story in self.spared if story.call.intended_at in span]
            case "in_flight":
                caught_at = [begin for begin in begins if begin in span]
                return [story for story in self.stories if story.is_open_at(caught_at)]
            case "new":
                return [
                    story
                    for story in self.stories
                    if story.call.intended_at in span
                    and any(story.sent_at >= begin for begin in begins)
                    and not story.is_open_at(begins)
                ]

    def hits_of(self, fault: str) -> list[FaultHit]:
        """Whom a fault met, in the order of time: each exchange once, each connection without a request by itself."""
        met: dict[str | int, FaultHit] = {}
        for number, hit in enumerate(self.hits):
            if hit.fault == fault:
                met.setdefault(number if hit.exchange is None else hit.exchange, hit)
        return list(met.values())

    def lag_s(self, start: float, end: float) -> float:
        """By how much our own processes were late between two times, where that exceeded the bound; else 0."""
        return late_s(self.lags, self.claims.lag_bound_s, start, end)

    def worst_lag_s(self, start: float, end: float) -> float:
        """By how much our own processes were late between two times (99 % of their samples), however little."""
        lately = (lag.p99_s for lag in self.lags if reaches(lag, start, end))
        return max(lately, default=0.0)


_Record = TypeVar("_Record")


def history_of(records: Iterable[AnyRecord], claims: Claims) -> History:
    """Join a journal's records. Exchanges at listeners that are no backends of the claims are left out."""
    records = list(records)
    exchanges = sorted(
        (
            exchange
            for exchange in _of(records, ExchangeRecord)
            if not claims.backends or exchange.listener in claims.backends
        ),
        key=lambda exchange: (exchange.began_at, exchange.id),
    )
    hits = sorted(_of(records, FaultHit), key=lambda hit: (hit.at, hit.fault, hit.exchange or ""))
    timeline = timeline_of(records, claims.quiet_tail_s)
    calls = [] if claims.external else _reported(records)
    lags = tuple(_of(records, Lag))
    underway = unended(_of(records, Underway), exchanges)
    if claims.external:
        seen = _see(exchanges, underway, hits, claims)
        stories = tuple(story for story in seen if timeline.holds(story.call.intended_at))
        exchanges = [exchange for exchange in exchanges if timeline.holds(exchange.began_at)]
    else:
        stories = _join([call for call in calls if not call.dropped], exchanges, hits, claims)
    refused_at = [record.at for record in _of(records, Trouble) if record.part == REFUSING_PART]
    stories = tuple(with_our_part(story, lags, refused_at, claims.lag_bound_s) for story in stories)
    control = claims.control
    spared = () if control is None else tuple(story for story in stories if control.holds(story.call))
    hit = stories if control is None else tuple(story for story in stories if not control.holds(story.call))
    return History(
        timeline,
        hit,
        tuple(call for call in calls if call.dropped),
        tuple(exchanges),
        tuple(hits),
        lags,
        claims,
        tuple(sorted(_of(records, Probed), key=lambda run: run.at)),
        tuple(_of(records, ConnectionRecord)),
        spared,
        tuple(each for each in underway if each.listener in claims.upstreams),
    )


def _reported(records: Sequence[AnyRecord]) -> list[Call]:
    """What the load says of its calls, those that did not end included, by their intended time."""
    ended = _of(records, Call)
    known = {call.id for call in ended}
    unended = [sent.unended() for sent in _of(records, Sent) if sent.id not in known]
    return sorted((*ended, *unended), key=lambda call: (call.intended_at, call.id))


def _of(records: Sequence[AnyRecord], kind: type[_Record]) -> list[_Record]:
    return [record for record in records if isinstance(record, kind)]


def _join(
    calls: Sequence[Call], exchanges: Sequence[ExchangeRecord], hits: Sequence[FaultHit], claims: Claims
) -> tuple[Story, ...]:
    exchanges_of: defaultdict[str, list[ExchangeRecord]] = defaultdict(list)
    for exchange in exchanges:
        if exchange.call is not None:
            exchanges_of[exchange.call].append(exchange)
    hits_on = _by_exchange(hits)
    stories = []
    for call in calls:
        known = exchanges_of[call.id] if call.tagged else []
        edge, mine = own_call(known, claims.entry, claims.front)
        source = source_of(call, mine)
        reference = reference_for(call, source, claims.oracle)
        outcome = classify(call, reference)
        met = tuple(hit for own in known for hit in hits_on[own.id])
        stories.append(Story(call, outcome, mine, met, source, uncertainty_of(call, reference, outcome), edge))
    return tuple(stories)


def _see(
    exchanges: Sequence[ExchangeRecord], underway: Sequence[Underway], hits: Sequence[FaultHit], claims: Claims
) -> tuple[Story, ...]:
    """The calls of external traffic: what the clients at the entry listener got."""
    hits_on = _by_exchange(hits)
    stories = []
    for call, edge, mine in seen_calls(exchanges, underway, claims):
        source = source_of(call, mine)
        reference = reference_for(call, source, claims.oracle)
        outcome = classify(call, reference)
        if edge is None:
            doubt = uncertainty_of(call, reference, outcome)
        elif is_unread(edge):
            outcome, doubt = Outcome.OK, uncertainty_at_entry(call, edge, reference, outcome)
        else:
            doubt = uncertainty_at_entry(call, edge, reference, outcome)
        at_entry = hits_on[edge.id] if edge is not None and claims.front is not None else ()
        met = (*at_entry, *(hit for own in mine for hit in hits_on[own.id]))
        stories.append(Story(call, outcome, mine, met, source, doubt, None if claims.front is None else edge))
    return tuple(sorted(stories, key=lambda story: (story.call.intended_at, story.id)))


def _by_exchange(hits: Iterable[FaultHit]) -> defaultdict[str, list[FaultHit]]:
    found: defaultdict[str, list[FaultHit]] = defaultdict(list)
    for hit in hits:
        if hit.exchange is not None:
            found[hit.exchange].append(hit)
    return found
