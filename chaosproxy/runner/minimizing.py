"""Run the candidates of a search for the smallest drill, each as often as it takes to know, within a budget of time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Literal

from chaosproxy.runner.order import Order
from chaosproxy.search.drill import Candidate
from chaosproxy.search.minimize import Outcome, majority
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.observation import State

Search = Generator[Candidate, Outcome, Candidate | None]


@dataclass(frozen=True, slots=True)
class Tried:
    """A candidate and what its runs said. ``outcome`` is None when it was not decided; ``said`` is the last word."""

    candidate: Candidate
    votes: tuple[Outcome, ...]
    outcome: Outcome | None
    took_s: float
    said: str = ""


@dataclass(frozen=True, slots=True)
class Minimized:
    """What came of a search. ``smallest`` is None when the drill did not deviate again.

    ``broken_off`` says why the search ended before it was done.
    """

    smallest: Candidate | None
    tried: tuple[Tried, ...]
    broken_off: Literal["", "budget", "interrupted", "terminated"] = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a search is run. ``overhead_s`` is what a run takes beyond its planned time, as far as that is known."""

    expectation: str
    repeats: int
    budget_s: float
    overhead_s: float


class Minimizing:
    """One search while it lasts. ``order_of`` makes the order of a candidate's next run, ``run`` performs it."""

    def __init__(
        self,
        terms: Terms,
        order_of: Callable[[Candidate], Order],
        run: Callable[[Order], Awaitable[Verdict]],
        *,
        on_tried: Callable[[Tried], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terms = terms
        self._order_of = order_of
        self._run = run
        self._on_tried = on_tried
        self._clock = clock
        self._overhead_s = terms.overhead_s
        self._over_at = 0.0
        self._broken_off: Literal["", "budget", "interrupted", "terminated"] = ""
        self._tried: list[Tried] = []

    async def search(self, steps: Search) -> Minimized:
        """Try what ``steps`` propose until they are done, the budget is spent, or a run is told to stop."""
        self._over_at = self._clock() + self._terms.budget_s
        smallest: Candidate | None = None
        try:
            candidate = next(steps)
            while True:
                outcome = await self._try(candidate)
                if outcome is Outcome.DEVIATED:
                    smallest = candidate
                if self._broken_off:
                    return Minimized(smallest, tuple(self._tried), self._broken_off)
                candidate = steps.send(outcome or Outcome.INCONCLUSIVE)
        except StopIteration:
            return Minimized(smallest, tuple(self._tried))

    async def _try(self, candidate: Candidate) -> Outcome | None:
        """Run it until most of its runs agree; None when that was not reached."""
        began, votes, said = self._clock(), list[Outcome](), ""
        while (outcome := majority(votes, self._terms.repeats)) is None:
            order = self._order_of(candidate)
            if self._clock() + order.experiment.planned_s + self._overhead_s > self._over_at:
                self._broken_off = "budget"
                break
            verdict = await self._once(order)
            if verdict.ended in ("interrupted", "terminated"):
                self._broken_off = verdict.ended
                break
            votes.append(outcome_of(verdict, self._terms.expectation))
            said = verdict.headline
        if votes:
            tried = Tried(candidate, tuple(votes), outcome, self._clock() - began, said)
            self._tried.append(tried)
            self._on_tried(tried)
        return outcome

    async def _once(self, order: Order) -> Verdict:
        began = self._clock()
        verdict = await self._run(order)
        self._overhead_s = max(self._overhead_s, self._clock() - began - order.experiment.planned_s)
        return verdict


def outcome_of(verdict: Verdict, expectation: str) -> Outcome:
    """What a run says about the one expectation. A part that failed, or a run that was stopped, says nothing."""
    if verdict.ended in ("interrupted", "terminated", "error", "unknown") or verdict.exit_code == _ERROR:
        return Outcome.INCONCLUSIVE
    if any(judged.id == expectation and judged.state is State.DEVIATED for judged in verdict.expectations):
        return Outcome.DEVIATED
    return Outcome.HELD if verdict.exit_code == 0 else Outcome.INCONCLUSIVE


_ERROR = 5
