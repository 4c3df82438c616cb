"""``@chaos_given``: a client under test, tried with sets of faults until one breaks its promise."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

import hypothesis

from chaosproxy.runner.world import opened
from chaosproxy.search.case import Case, case_text
from chaosproxy.search.observation import Plan, Run, Setting
from chaosproxy.search.promise import Promise, default_promise
from chaosproxy.search.strategies import plans


class PromiseBroken(AssertionError):
    """A set of faults under which the client breaks its promise; the text has it as an experiment file."""


def chaos_given(
    max_faults: int = 3,
    *,
    examples: int = 200,
    listeners: Sequence[str] = ("primary",),
    dialect: str = "openai.chat",
    tokens: int = 5,
    deadline_s: float = 60.0,
    max_requests: int | None = None,
    promise: Promise | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Turn ``async def test_it(asked): ... return text`` into a test that searches for faults which break it.

    The function asks once at ``asked.url`` and returns the text; an opener of clients does as well. By default it must
    return the whole text or raise, within ``deadline_s`` and ``max_requests`` (5 for each listener). Further parameters
    are fixtures of pytest. Hypothesis keeps what it has found, and tries it first the next time.
    """
    setting = Setting(dialect, tuple(listeners), tokens, deadline_s)
    limit = 5 * len(setting.listeners) if max_requests is None else max_requests
    kept = promise or default_promise(limit)

    def decorate(target: Callable[..., Any]) -> Callable[..., None]:
        name = f"{target.__module__}:{target.__qualname__}"

        @wraps(target)
        def test(**fixtures: Any) -> None:
            with opened(partial(target, **fixtures) if fixtures else target, setting) as run:
                _try(run, name, setting, limit, kept, max_faults, examples)

        first, *others = inspect.signature(target).parameters.values()
        del first, test.__wrapped__  # pytest would ask the target for its fixtures
        test.__signature__ = inspect.Signature(others)  # type: ignore[attr-defined]
        test.chaos_target = target  # type: ignore[attr-defined]
        return test

    return decorate


def _try(run: Run, name: str, setting: Setting, limit: int, promise: Promise, max_faults: int, examples: int) -> None:
    without = run(())
    if without.error is not None or promise((), without) is not None:
        broken = promise((), without)
        words = f"raised {without.error}" if broken is None else broken.words
        raise AssertionError(f"{name} fails without any fault: the call {words}")

    def attempt(plan: Plan) -> None:
        broken = promise(plan, run(plan))
        if broken is not None:
            case = Case(name, plan, setting, limit, broken)
            raise PromiseBroken(f"the call {broken.words}\n\n{case_text(case)}")

    attempt.__name__ = re.sub(r"\W", "_", name)  # by which Hypothesis knows what it has found before
    drawn = plans(max_faults, listeners=setting.listeners, dialect=setting.dialect)
    quiet = hypothesis.settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=tuple(hypothesis.HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
        phases=[phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain],
    )
    quiet(hypothesis.given(drawn)(attempt))()
