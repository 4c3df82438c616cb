"""What the runner itself must know while the run goes on: the gate, the abort conditions, and whether the heal held.

The measures are those of the verdict, over the records at hand; what they do not tell yet lies between bounds.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from chaosproxy.journal.records import AnyRecord, FaultEdge, Mark, Probed
from chaosproxy.journal.traffic import Call, ExchangeRecord
from chaosproxy.runner.totals import TOTALS, Totals
from chaosproxy.steady_state.claims import Abort, Claims, Expectation, Expression, Moment, Window
from chaosproxy.steady_state.entry_calls import is_call
from chaosproxy.steady_state.expression import parse_expression
from chaosproxy.steady_state.history import History, Story, history_of
from chaosproxy.steady_state.measures import abort_met, observe
from chaosproxy.steady_state.observation import Observation, State
from chaosproxy.steady_state.outcome import Outcome
from chaosproxy.steady_state.vocabulary import MEASURES, Needs, display

ALIVE = parse_expression("success > 0%")
"""The gate of a file that has none: something must work, as far as can be told, before it is broken."""
NO_TRAFFIC = "no request for an answer reached our listeners"
HORIZON_SLACK_S = 5.0
"""Calls are remembered so long beyond the longest ``for`` of an abort condition."""
LONGEST_CALL_S = 60.0
"""A call that ended just now may have cost requests so long ago."""
RECORD_SLACK_S = 0.25
"""A record may be so long on its way to us."""
STEP_S = 0.25
"""The grid on which spans after the heal are tried."""


class Checks:
    """Judges the records of a run that is still going on."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._horizon_s = max((abort.for_s for abort in claims.aborts), default=0.0) + HORIZON_SLACK_S
        self._marks: list[AnyRecord] = []
        self._recent: deque[Call] = deque()
        self._looked: deque[Probed] = deque()
        self._exchanges: deque[ExchangeRecord] = deque()
        self._joins = claims.external or claims.oracle == "upstream" or any(map(_asks_for_exchanges, claims.aborts))
        self._totals = Totals(claims)
        self.gate_unknown = False
        """Whether nothing spoke against the gate for certain when it was judged last."""

    def notice(self, record: AnyRecord) -> None:
        """Remember what the abort conditions look at: the marks, and the calls and probes of not long ago."""
        self._totals.notice(record)
        if isinstance(record, Call):
            self._recent.append(record)
        elif isinstance(record, Probed):
            self._looked.append(record)
        elif isinstance(record, ExchangeRecord):
            if self._joins:
                self._exchanges.append(record)
        elif isinstance(record, Mark | FaultEdge):
            self._marks.append(record)

    def gate(self, records: Sequence[AnyRecord], until_s: float, last_look_at: float | None = None) -> list[str] | None:
        """Why nothing may be injected, one sentence each; ``until_s`` is how long after the origin its window ends.

        None: that hangs on calls which are still under way. At the last look (its time) a call that is under way for no
        longer than good ones took is left out, and one that should have ended is a doubt.
        """
        history = history_of(records, self._claims)
        if self._claims.gate:
            window = Window("gate", Moment("origin"), Moment("origin", self._claims.gate_window_s))
            if last_look_at is not None:
                history = _without_young(history, last_look_at)
            elif _hangs_on_open_calls(history, self._claims.gate, window):
                return None
            states = {seen.state(each.expect) for each, seen in _seen(history, self._claims.gate, window)}
            self.gate_unknown = State.INCONCLUSIVE in states and State.DEVIATED not in states
            return _unmet(history, self._claims.gate, window)
        if self._claims.external and self._claims.entry is None:
            return _alive_behind(history, last_look_at)
        window = Window("before the first fault", Moment("start"), Moment("origin", until_s))
        (seen,) = observe(history, Expectation("alive", ALIVE, (window,)))
        if seen.value:
            return []
        return None if last_look_at is None else [f"{ALIVE.text}: {_words(ALIVE, seen)}"]

    def failures(self, records: Sequence[AnyRecord]) -> list[str]:
        """What most of the failed calls failed with; empty when none failed."""
        failed = [story for story in history_of(records, self._claims).stories if story.admitted]
        common = Counter(map(_failure, failed)).most_common(1)
        return [f"{count} of {len(failed)} failed calls met {words}" for words, count in common]

    def abort(self, now: float) -> str | None:
        """The abort condition that is met, in its own words."""
        while self._recent and (self._recent[0].end_at or self._recent[0].intended_at) < now - self._horizon_s:
            self._recent.popleft()
        while self._looked and self._looked[0].at + self._looked[0].took_s < now - self._horizon_s:
            self._looked.popleft()
        while self._exchanges and _end_of(self._exchanges[0]) < now - self._horizon_s - LONGEST_CALL_S:
            self._exchanges.popleft()
        history = history_of([*self._marks, *self._recent, *self._looked, *self._exchanges], self._claims)
        return next((abort.when.text for abort in self._claims.aborts if self._met(history, abort, now)), None)

    def _met(self, history: History, abort: Abort, now: float) -> bool:
        """By the totals of the run, or by its last seconds."""
        if abort.when.measure in TOTALS:
            return self._totals.met(abort, now)
        return abort_met(history, abort, now)

    def healed(self, records: Sequence[AnyRecord], healed_s: float, within_s: float, over_s: float) -> Again:
        """Whether the gate holds again in some span that ends ``within_s`` of the last heal, before the load is over.

        All times are seconds after the origin.
        """
        history = history_of(records, self._claims)
        last_s = min(healed_s + within_s, over_s)
        if last_s <= healed_s:
            return Again(seen=False, reasons=["no load ran any more"])
        start_s, reasons = healed_s, [""]
        while start_s == healed_s or start_s + self._claims.gate_window_s <= last_s:
            window = _after_heal(start_s, min(start_s + self._claims.gate_window_s, last_s))
            if not (reasons := _unmet(history, self._claims.gate, window)):
                return Again(seen=True, reasons=[])
            start_s += STEP_S
        rest = _seen(history, self._claims.gate, _after_heal(healed_s, last_s))
        return Again(seen=any(seen.state(each.expect) is State.DEVIATED for each, seen in rest), reasons=reasons)


def _end_of(exchange: ExchangeRecord) -> float:
    return exchange.sent.end_at or exchange.began_at


def _alive_behind(history: History, last_look_at: float | None) -> list[str] | None:
    """Why nothing may be injected where nobody sees calls: some backend must have answered one request."""
    asked = [exchange for exchange in history.asked if is_call(exchange)]
    if any(exchange.sent.status == 200 and exchange.sent.ended == "end" for exchange in asked):
        return []
    seen = f"{len(asked)} requests reached our listeners, and none of them was answered" if asked else NO_TRAFFIC
    return None if last_look_at is None else [seen]


def _asks_for_exchanges(abort: Abort) -> bool:
    return MEASURES[abort.when.measure].needs is Needs.EXCHANGES and abort.when.measure not in TOTALS


class Again(NamedTuple):
    """Whether it was seen how the gate stood after the last fault, and why it was not seen to hold."""

    seen: bool
    reasons: list[str]


def _after_heal(start_s: float, end_s: float) -> Window:
    return Window("after the heal", Moment("origin", start_s), Moment("origin", end_s))


def _seen(
    history: History, expectations: Sequence[Expectation], window: Window
) -> Iterator[tuple[Expectation, Observation]]:
    for expectation in expectations:
        (seen,) = observe(history, replace(expectation, over=(window,)))
        yield expectation, seen


def _unmet(history: History, expectations: Sequence[Expectation], window: Window) -> list[str]:
    return [
        f"{expectation.expect.text} could not be judged: {_doubtful(expectation.expect, seen)}"
        if seen.state(expectation.expect) is State.INCONCLUSIVE
        else f"{expectation.expect.text}: {_words(expectation.expect, seen)}"
        for expectation, seen in _seen(history, expectations, window)
        if seen.state(expectation.expect) is not State.HELD
    ]


def _hangs_on_open_calls(history: History, expectations: Sequence[Expectation], window: Window) -> bool:
    """Whether nothing speaks against them for certain, and what is still to be reported may speak for them."""
    states = {seen.state(expectation.expect) for expectation, seen in _seen(history, expectations, window)}
    return State.INCONCLUSIVE in states and State.DEVIATED not in states and any(map(_is_open, history.stories))


def _is_open(story: Story) -> bool:
    """Whether more of it is to come: its end, or the record of the exchange in which it was answered."""
    return story.outcome is Outcome.UNFINISHED or (story.uncertainty is not None and not story.exchanges)


def _without_young(history: History, now: float) -> History:
    """Without the calls that are open and no older than good ones when these had ended."""
    usual_s = max(
        (story.end_at - story.sent_at for story in history.stories if story.outcome is Outcome.OK), default=0.0
    )
    young_at = now - usual_s - RECORD_SLACK_S
    return replace(history, stories=tuple(s for s in history.stories if not (_is_open(s) and s.sent_at >= young_at)))


def _words(expect: Expression, seen: Observation) -> str:
    if seen.value is None:
        return seen.why
    value = display(seen.value, MEASURES[expect.measure].unit_of(expect.aggregate))
    return f"observed {value} over {seen.samples} samples" + (f" ({seen.why})" if seen.why else "")


def _doubtful(expect: Expression, seen: Observation) -> str:
    """First why nothing can be said, for the number alone may look as if it were good enough."""
    why = seen.why or "the data ends too early"
    return why if seen.value is None else f"{why} ({_words(expect, replace(seen, why=''))})"


def _failure(story: Story) -> str:
    """What a call failed with: the reason of an upstream of ours, or else what its client saw."""
    for exchange in reversed(story.exchanges):
        if exchange.error is not None:
            return f"the upstream of {exchange.listener}: {exchange.error}"
    error = story.call.error
    return f"HTTP status {story.call.status}" if error is None else f"{error.kind}: {error.message}".rstrip(": ")
