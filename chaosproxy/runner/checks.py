"""What the runner itself must know while the run goes on: the gate, the abort conditions, and whether the heal held.

The measures are those of the verdict, over the records at hand; a call has a record once it has ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from chaosproxy.journal.records import AnyRecord, Call, FaultEdge, Mark
from chaosproxy.steady_state.claims import Claims, Expectation, Moment, Window
from chaosproxy.steady_state.expression import parse_expression
from chaosproxy.steady_state.history import history_of
from chaosproxy.steady_state.measures import abort_met, observe
from chaosproxy.steady_state.observation import Observation, State

ALIVE = parse_expression("success > 0%")
"""The gate of a file that has none: something must work, as far as can be told, before it is broken."""
HORIZON_SLACK_S = 5.0
"""Calls are remembered so long beyond the longest ``for`` of an abort condition."""
STEP_S = 0.25
"""The grid on which spans after the heal are tried."""


class Checks:
    """Judges the records of a run that is still going on."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._horizon_s = max((abort.for_s for abort in claims.aborts), default=0.0) + HORIZON_SLACK_S
        self._marks: list[AnyRecord] = []
        self._recent: deque[Call] = deque()

    def notice(self, record: AnyRecord) -> None:
        """Remember what the abort conditions look at: the marks, and the calls that ended not long ago."""
        if isinstance(record, Call):
            self._recent.append(record)
        elif isinstance(record, Mark | FaultEdge):
            self._marks.append(record)

    def gate(self, records: Sequence[AnyRecord], until_s: float) -> list[str]:
        """Why nothing may be injected, one sentence each; ``until_s`` is how long after the origin we are."""
        if self._claims.gate:
            window = Window("gate", Moment("origin"), Moment("origin", self._claims.gate_window_s))
            return self._unmet(records, self._claims.gate, window)
        window = Window("before the first fault", Moment("start"), Moment("origin", until_s))
        (seen,) = observe(history_of(records, self._claims), Expectation("alive", ALIVE, (window,)))
        return [] if seen.value else [f"{ALIVE.text}: {_words(seen)}"]

    def abort(self, now: float) -> str | None:
        """The abort condition that is met, in its own words."""
        while self._recent and (self._recent[0].end_at or self._recent[0].intended_at) < now - self._horizon_s:
            self._recent.popleft()
        history = history_of([*self._marks, *self._recent], self._claims)
        return next((abort.when.text for abort in self._claims.aborts if abort_met(history, abort, now)), None)

    def healed(self, records: Sequence[AnyRecord], healed_s: float, within_s: float, over_s: float) -> list[str]:
        """Why the gate does not hold again in any span that ends ``within_s`` of the last heal; empty when it does.

        All times are seconds after the origin. Without a gate, or without load after the heal, there is nothing to see.
        """
        length_s = self._claims.gate_window_s
        last_s = min(healed_s + within_s, over_s)
        if not self._claims.gate or last_s <= healed_s:
            return []
        reasons: list[str] = []
        start_s = healed_s
        while not reasons or start_s + length_s <= last_s:
            end_s = min(start_s + length_s, last_s)
            window = Window("after the heal", Moment("origin", start_s), Moment("origin", end_s))
            reasons = self._unmet(records, self._claims.gate, window)
            if not reasons:
                return []
            start_s += STEP_S
        return reasons

    def _unmet(self, records: Sequence[AnyRecord], expectations: Sequence[Expectation], window: Window) -> list[str]:
        history = history_of(records, self._claims)
        reasons = []
        for expectation in expectations:
            (seen,) = observe(history, replace(expectation, over=(window,)))
            if seen.state(expectation.expect) is not State.HELD:
                reasons.append(f"{expectation.expect.text}: {_words(seen)}")
        return reasons


def _words(seen: Observation) -> str:
    if seen.value is None:
        return seen.why
    return f"observed {seen.value:.4g} over {seen.samples} samples" + (f" ({seen.why})" if seen.why else "")
