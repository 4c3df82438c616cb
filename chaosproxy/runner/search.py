"""Looks for plans that break a promise, one finding after the other, and shrinks each to its smallest plan."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chaosproxy.errors import UserError
from chaosproxy.search.observation import Observation, Plan, Run, Setting
from chaosproxy.search.promise import Broken, Promise

SHRINKS_MAX_S = 60.0
"""A finding is not shrunk any further after so long."""


@dataclass(frozen=True, slots=True)
class Found:
    """A finding with its smallest plan. ``after`` examples it was found, ``shrinking`` runs later it was this small."""

    plan: Plan
    broken: Broken
    observation: Observation
    after: int
    shrinking: int


@dataclass(slots=True)
class Tally:
    """``examples`` are plans that were generated, ``runs`` all that were run."""

    examples: int = 0
    runs: int = 0
    took_s: float = 0.0


class _Breaks(Exception):
    """A plan breaks the promise."""


class Search:
    """One search in one world. ``tally`` counts while ``findings`` are taken.

    Each way in which the promise can be broken is found once: what is like an earlier finding counts as kept, so that
    the search goes on to the others.
    """

    def __init__(self, run: Run, promise: Promise, setting: Setting, *, max_faults: int, seed: int) -> None:
        self._run = run
        self._promise = promise
        self._setting = setting
        self._max_faults = max_faults
        self._seed = seed
        self.known: set[str] = set()
        self.tally = Tally()

    def judge(self, plan: Plan) -> tuple[Broken | None, Observation]:
        """Run a plan, and see whether it breaks the promise."""
        began = time.perf_counter()
        observation = self._run(plan)
        self.tally.runs += 1
        self.tally.took_s += time.perf_counter() - began
        return self._promise(plan, observation), observation

    def findings(self, examples: int) -> Iterator[Found]:
        """Generate up to so many plans; what is found is shrunk and yielded at once."""
        turn = 0
        while self.tally.examples < examples:
            found = self._next(examples - self.tally.examples, self._seed + turn)
            if found is None:
                return
            self.known.add(found.broken.key)
            turn += 1
            yield found

    def _next(self, examples: int, seed: int) -> Found | None:
        hypothesis = _hypothesis()
        from chaosproxy.search.strategies import plans  # noqa: PLC0415 - needs hypothesis, an extra

        hunt = _Hunt(self)
        drawn = plans(self._max_faults, listeners=self._setting.listeners, dialect=self._setting.dialect)
        attempt = hypothesis.given(drawn)(hunt.attempt)
        attempt = hypothesis.seed(seed)(attempt)
        quiet = hypothesis.settings(
            max_examples=examples,
            database=None,
            deadline=None,
            derandomize=False,
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
            suppress_health_check=tuple(hypothesis.HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
            verbosity=hypothesis.Verbosity.quiet,
        )
        try:
            quiet(attempt)()
        except _Breaks:
            return hunt.found()
        except hypothesis.errors.Flaky:
            return hunt.found()
        return None


class _Hunt:
    """One finding: from the first plan that shows it to the smallest."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._key: str | None = None
        self._first: tuple[int, int] = (0, 0)
        self._last: tuple[Plan, Broken, Observation] | None = None

    def attempt(self, plan: Plan) -> None:
        """Raise when the plan shows it."""
        tally = self._search.tally
        if self._key is None:
            tally.examples += 1
        broken, observation = self._search.judge(plan)
        if broken is None or broken.key in self._search.known or self._key not in (None, broken.key):
            return
        if self._key is None:
            self._key, self._first = broken.key, (tally.examples, tally.runs)
        self._last = (plan, broken, observation)
        raise _Breaks

    def found(self) -> Found:
        """The last plan that showed it: Hypothesis ends with the smallest."""
        if self._last is None:
            raise RuntimeError("nothing was found")
        plan, broken, observation = self._last
        return Found(plan, broken, observation, self._first[0], self._search.tally.runs - self._first[1])


def _hypothesis() -> Any:
    try:
        import hypothesis  # noqa: PLC0415 - an extra, needed for nothing else
    except ModuleNotFoundError:
        raise UserError("the search needs the library hypothesis: pip install 'chaosproxy[search]'") from None
    return hypothesis
