"""``@chaos_given``: a client under test, tried with sets of faults until one breaks its promise."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import hypothesis
from hypothesis.database import ExampleDatabase

from chaosproxy.errors import UserError
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.runner.search import Search
from chaosproxy.runner.world import opened
from chaosproxy.search.case import Case, case_of, case_text
from chaosproxy.search.observation import Plan, Run, Setting
from chaosproxy.search.promise import Promise, default_promise


class PromiseBroken(AssertionError):
    """A set of faults under which the client breaks its promise; the text has it as an experiment file."""


def chaos_given(  # noqa: PLR0913 - all but the first by name
    max_faults: int = 3,
    *,
    examples: int = 200,
    listeners: Sequence[str] = ("primary",),
    dialect: str = "openai.chat",
    tokens: int = 5,
    deadline_s: float = 60.0,
    max_requests: int | None = None,
    promise: Promise | None = None,
    seed: int | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Turn ``async def test_it(asked): ... return text`` into a test that searches for faults which break it.

    The function asks once at ``asked.url`` and returns the text; an opener of clients does as well. By default it must
    return the whole text or raise, within ``deadline_s`` and ``max_requests`` (5 for each listener). Further parameters
    are fixtures of pytest. The search is that of ``chaosproxy search``: every fault alone, then what made a difference
    together, then any plans, ``examples`` in all; ``seed`` repeats the last two. What it finds is kept in Hypothesis's
    database, and tried first the next time.
    """
    setting = Setting(dialect, tuple(listeners), tokens, deadline_s)
    limit = 5 * len(setting.listeners) if max_requests is None else max_requests

    def decorate(target: Callable[..., Any]) -> Callable[..., None]:
        name = f"{target.__module__}:{target.__qualname__}"
        trial = _Trial(name, setting, limit, promise or default_promise(limit))

        @wraps(target)
        def test(**fixtures: Any) -> None:
            with opened(partial(target, **fixtures) if fixtures else target, setting) as run:
                trial.try_kept(run)
                trial.search(run, max_faults, examples, _seed() if seed is None else seed)

        first, *others = inspect.signature(target).parameters.values()
        del first, test.__wrapped__  # pytest would ask the target for its fixtures
        test.__signature__ = inspect.Signature(others)  # type: ignore[attr-defined]
        test.chaos_target = target  # type: ignore[attr-defined]
        return test

    return decorate


def _seed() -> int:
    """By chance, unless a profile of Hypothesis wants every run to be the same."""
    return 0 if hypothesis.settings().derandomize else secrets.randbelow(2**31)


@dataclass(frozen=True, slots=True)
class _Trial:
    """One test: what its target is called, and what it must keep."""

    name: str
    setting: Setting
    limit: int
    promise: Promise

    def try_kept(self, run: Run) -> None:
        """What has been found before is tried first; what is mended, or cannot be read any more, is forgotten."""
        database = _database()
        for text in () if database is None else sorted(database.fetch(self._key)):
            plan = self._plan(text)
            broken = None if plan is None else self.promise(plan, run(plan))
            if broken is not None:
                raise PromiseBroken(f"the call {broken.words}, as it did before\n\n{text.decode()}")
            if database is not None:
                database.delete(self._key, text)

    def search(self, run: Run, max_faults: int, examples: int, seed: int) -> None:
        """Raise PromiseBroken with the first that is found, in its smallest form."""
        hunt = Search(run, self.promise, self.setting, max_faults=max_faults, seed=seed)
        broken, seen = hunt.judge(())
        if seen.error is not None or broken is not None:
            words = f"raised {seen.error}" if broken is None else broken.words
            raise AssertionError(f"{self.name} fails without any fault: the call {words}")
        for found in hunt.findings(examples):
            text = case_text(Case(self.name, found.plan, self.setting, self.limit, found.broken))
            if (database := _database()) is not None:
                database.save(self._key, text.encode())
            counts = f"after {found.after} examples, and {found.shrinking} runs to shrink it to this (seed {seed}):"
            raise PromiseBroken(f"the call {found.broken.words}\n\n{counts}\n\n{text}")

    @property
    def _key(self) -> bytes:
        return f"chaosproxy:{self.name}".encode()

    def _plan(self, text: bytes) -> Plan | None:
        """None: it is of another setting, or of another version of chaosproxy."""
        try:
            _, plan, setting, _ = case_of(parse_experiment(text.decode(), self.name), self.name)
        except UserError:
            return None
        return plan if setting == self.setting else None


def _database() -> ExampleDatabase | None:
    """Hypothesis's own, in ``.hypothesis``; its profiles may switch it off."""
    return hypothesis.settings().database
