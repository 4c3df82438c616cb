"""The driver of a search, over runs that end at once with the verdict that a test wants."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.runner.minimizing import Minimized, Minimizing, Terms, outcome_of
from chaosproxy.runner.order import Order
from chaosproxy.search.drill import Candidate
from chaosproxy.search.minimize import Outcome
from chaosproxy.steady_state.findings import Health, Judged, Verdict
from chaosproxy.steady_state.observation import State

TEXT = """\
experiment: v1
topology: {entry: "http://127.0.0.1:1", backends: {a: {upstream: "http://127.0.0.1:2"}}}
timeline: {warmup: 1s, lasts: 9s}
hypothesis: [success >= 0%]
"""
CODES = {State.HELD: 0, State.DEVIATED: 1, State.INCONCLUSIVE: 3}


def verdict(state: State, expectation: str = "wanted", **changes: Any) -> Verdict:
    """A run that ended so, about one expectation."""
    judged = Judged(id=expectation, text="x", window="all", state=state, observed="", bound=0.0)
    whole = {
        "verdict": state,
        "exit_code": CODES[state],
        "headline": f"it {state.value}",
        "ended": "completed",
        "name": "x",
        "question": "",
        "expectations": (judged,),
        "health": Health(lag_bound_s=1.0),
    }
    return Verdict.model_validate({**whole, **changes})


class Runs:
    """Plays runs of ``takes_s`` each on a clock of its own."""

    def __init__(self, play: Callable[[int], Verdict], takes_s: float = 12.0) -> None:
        self.count = 0
        self.now = 100.0
        self._play = play
        self._takes_s = takes_s

    async def __call__(self, order: Order) -> Verdict:
        self.count += 1
        self.now += self._takes_s
        return self._play(self.count)

    async def search(self, *, repeats: int = 3, budget_s: float = 1e6, candidates: int = 2) -> Minimized:
        """A search with so many candidates."""
        terms = Terms("wanted", repeats, budget_s, overhead_s=2.0)
        minimizing = Minimizing(terms, lambda _: order(), self, clock=lambda: self.now)
        return await minimizing.search(proposals(candidates))


def proposals(count: int) -> Generator[Candidate, Outcome, Candidate | None]:
    """Candidates that do not depend on what came of the others."""
    for number in range(count):
        yield candidate(number)
    return None


def candidate(number: int) -> Candidate:
    """The one of that number."""
    return Candidate((), change=str(number))


def order() -> Order:
    """Of a run that is planned to take 10 s."""
    return Order(parse_experiment(TEXT, "x.yaml"), 1, "x", "n", "x.yaml", TEXT, {}, Path("out"))


async def test_as_many_runs_as_it_takes_to_know() -> None:
    """Two that agree, and a third where they do not."""
    states = [State.DEVIATED, State.DEVIATED, State.DEVIATED, State.HELD, State.HELD]
    runs = Runs(lambda n: verdict(states[n - 1]))

    found = await runs.search()

    assert [tried.outcome for tried in found.tried] == [Outcome.DEVIATED, Outcome.HELD]
    assert [len(tried.votes) for tried in found.tried] == [2, 3]
    assert found.smallest == candidate(0)
    assert found.broken_off == ""


async def test_inconclusive_runs_reproduce_nothing() -> None:
    """Nor do they pass: the candidate is passed over."""
    runs = Runs(lambda n: verdict(State.DEVIATED if n in (1, 2) else State.INCONCLUSIVE))

    found = await runs.search()

    assert found.smallest == candidate(0)
    assert found.tried[1].outcome is Outcome.INCONCLUSIVE


async def test_no_run_begins_that_the_budget_has_no_time_for() -> None:
    """It is planned for 10 s and took 12: the third would end after 36 s."""
    runs = Runs(lambda _: verdict(State.DEVIATED))

    found = await runs.search(repeats=1, budget_s=35.0, candidates=9)

    assert (runs.count, found.broken_off) == (2, "budget")
    assert found.smallest == candidate(1)


async def test_a_candidate_that_the_budget_leaves_undecided_is_not_the_smallest() -> None:
    """One vote of three decides nothing."""
    runs = Runs(lambda _: verdict(State.DEVIATED))

    found = await runs.search(budget_s=40.0)

    assert (found.smallest, found.broken_off) == (candidate(0), "budget")
    assert (found.tried[1].outcome, len(found.tried[1].votes)) == (None, 1)


async def test_a_machine_that_became_slower_is_noticed() -> None:
    """What a run took beyond its plan is expected of the next, too."""
    runs = Runs(lambda _: verdict(State.DEVIATED), takes_s=50.0)

    found = await runs.search(repeats=1, budget_s=90.0)

    assert (runs.count, found.broken_off) == (1, "budget")


@pytest.mark.parametrize("how", ["interrupted", "terminated"])
async def test_a_run_that_is_told_to_stop_ends_the_search(how: str) -> None:
    """With what was found before; the broken run is no vote."""
    runs = Runs(lambda n: verdict(State.DEVIATED) if n == 1 else verdict(State.DEVIATED, ended=how, exit_code=130))

    found = await runs.search(repeats=1)

    assert (found.smallest, found.broken_off, len(found.tried)) == (candidate(0), how, 1)


@pytest.mark.parametrize(
    ("judged", "outcome"),
    [
        (verdict(State.DEVIATED), Outcome.DEVIATED),
        (verdict(State.DEVIATED, ended="aborted", exit_code=4), Outcome.DEVIATED),
        (verdict(State.DEVIATED, expectation="another"), Outcome.INCONCLUSIVE),
        (verdict(State.HELD), Outcome.HELD),
        (verdict(State.HELD, exit_code=3), Outcome.INCONCLUSIVE),
        (verdict(State.HELD, ended="aborted", exit_code=4), Outcome.INCONCLUSIVE),
        (verdict(State.INCONCLUSIVE), Outcome.INCONCLUSIVE),
        (verdict(State.DEVIATED, exit_code=5), Outcome.INCONCLUSIVE),
        (verdict(State.DEVIATED, ended="error", exit_code=5), Outcome.INCONCLUSIVE),
        (verdict(State.INCONCLUSIVE, ended="gate", exit_code=3, expectations=()), Outcome.INCONCLUSIVE),
    ],
)
def test_what_a_run_says_about_an_expectation(judged: Verdict, outcome: Outcome) -> None:
    """Only its own deviation counts, and only in a run whose parts worked."""
    assert outcome_of(judged, "wanted") is outcome
