"""Looks for plans that break a promise, one finding after the other, and shrinks each to its smallest plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from chaosproxy.errors import UserError

try:
    import hypothesis
    from hypothesis.strategies import SearchStrategy
except ModuleNotFoundError:
    raise UserError("the search needs the library hypothesis: pip install 'chaosproxy[search]'") from None

from chaosproxy.plan.rule import Rule
from chaosproxy.search.observation import Observation, Plan, Run, Setting
from chaosproxy.search.pool import Tried, alone, distinct, narrowed, tried
from chaosproxy.search.promise import Broken, Promise
from chaosproxy.search.strategies import combinations, plans, renamed


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
    """``examples`` are plans that were tried, ``runs`` all runs, ``flaky`` findings that did not show again."""

    examples: int = 0
    runs: int = 0
    flaky: int = 0


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
        self._simple: list[Rule] = []
        self.known: set[str] = set()
        self.tally = Tally()

    def judge(self, plan: Plan) -> tuple[Broken | None, Observation]:
        """Run a plan, and see whether it breaks the promise."""
        observation = self._run(plan)
        self.tally.runs += 1
        return self._promise(plan, observation), observation

    def findings(self, examples: int) -> Iterator[Found]:
        """Try up to so many plans; what is found is shrunk and yielded at once.

        First each fault alone, then faults that made a difference together, then any plans at all.
        """
        pool: list[Tried] = []
        yield from self._alone(examples, pool)
        _, without = self.judge(())
        worth = distinct(pool, without)
        self._simple = [each.rule for each in worth]
        if self._max_faults > 1 and len(worth) > 1:
            again = [each.rule for each in worth if each.asks_again]
            together = combinations(again, self._simple, self._max_faults)
            yield from self._drawn(together, (examples + self.tally.examples) // 2)
        listeners, dialect = self._setting.listeners, self._setting.dialect
        yield from self._drawn(plans(self._max_faults, listeners=listeners, dialect=dialect), examples)

    def _alone(self, examples: int, pool: list[Tried]) -> Iterator[Found]:
        """Each fault for all requests; then those that made a difference for some of them. All go to the pool."""
        _, without = self.judge(())
        for rules in (alone(self._setting), _narrowed(pool, without)):
            for rule in rules:
                if self.tally.examples >= examples:
                    return
                self.tally.examples += 1
                broken, seen = self.judge((rule,))
                if broken is None:
                    pool.append(tried(rule, seen))
                elif broken.key not in self.known and (found := self._confirmed((rule,), broken)):
                    yield found

    def _confirmed(self, plan: Plan, broken: Broken) -> Found | None:
        """What is found only once is not found."""
        again, seen = self.judge(plan)
        if again is None or again.key != broken.key:
            return None
        self.known.add(broken.key)
        return Found(plan, again, seen, self.tally.examples, 1)

    def _drawn(self, drawn: SearchStrategy[Plan], examples: int) -> Iterator[Found]:
        """Up to ``examples`` in all."""
        while self.tally.examples < examples:
            found = self._next(drawn, examples - self.tally.examples)
            if found is None:
                return
            self.known.add(found.broken.key)
            self._seed += 1
            yield self._simplest(found)

    def _simplest(self, found: Found) -> Found:
        """Each of its faults replaced by the first of the catalogue that will do, which a shrinker may jump over."""
        began = self.tally.runs
        for index in range(len(found.plan)):
            for rule in self._simple:
                others = [*found.plan[:index], rule, *found.plan[index + 1 :]]
                plan = renamed(others)
                if plan == found.plan:
                    break
                broken, seen = self.judge(plan)
                if broken is not None and broken.key == found.broken.key:
                    found = replace(found, plan=plan, broken=broken, observation=seen)
                    break
        return replace(found, shrinking=found.shrinking + self.tally.runs - began)

    def _next(self, drawn: SearchStrategy[Plan], examples: int) -> Found | None:
        hunt = _Hunt(self)
        quiet = hypothesis.settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
            suppress_health_check=tuple(hypothesis.HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
            verbosity=hypothesis.Verbosity.quiet,
        )
        try:
            quiet(hypothesis.seed(self._seed)(hypothesis.given(drawn)(hunt.attempt)))()
        except _Breaks:
            return hunt.found()
        except hypothesis.errors.Flaky:
            self.tally.flaky += 1
        return None


def _narrowed(pool: list[Tried], without: Observation) -> Iterator[Rule]:
    for each in distinct(pool, without):
        yield from narrowed(each.rule)


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
