"""``chaosproxy enumerate``: every exchange of a call times every fault, and then pairs of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaosproxy.cli.plugins import Plugins, load_plugins
from chaosproxy.cli.search import Backends, Where, load_target, setting_of
from chaosproxy.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chaosproxy.faults.base import Fault
    from chaosproxy.search.observation import Run, Setting
    from chaosproxy.search.systematic import Attempt


def enumerate_plans(
    target: Where,
    max_faults: Annotated[int, typer.Option(min=1, max=4, help="At most so many at once, each on an exchange.")] = 2,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="'NAME KEY=VALUE...'", help="One to try; repeat it.  [the whole catalogue, as it is]"),
    ] = None,
    backend: Backends = None,
    dialect: Annotated[str, typer.Option(help="What the target speaks.")] = "openai.chat",
    tokens: Annotated[int, typer.Option(min=1, max=1000, help="The length of each answer.")] = 5,
    deadline: Annotated[str, typer.Option(metavar="TIME", help="A call that takes longer hangs.")] = "60s",
    max_requests: Annotated[
        int | None, typer.Option(min=1, help="How many requests one call may cost.  [5 for each backend]")
    ] = None,
    keep: Annotated[Path, typer.Option(metavar="FOLDER", help="Where findings are written.")] = Path("found"),
    plugin: Plugins = None,
) -> None:
    """Give each exchange of a call each fault, then each pair of exchanges each pair, and print what was survived.

    Retries and fallbacks are found under way: what only happens after a fault is tried from there. Plans that cannot
    differ from one that was tried are left out.

    Exit codes: 0 nothing found, 1 found, 2 wrong usage, or a target that fails without any fault.

    Example: chaosproxy enumerate --target myapp:call --max-faults 2
    """
    import time

    from chaosproxy.report import systematic as words
    from chaosproxy.runner.world import is_async, opened
    from chaosproxy.search.promise import default_promise
    from chaosproxy.search.systematic import applicable, explore

    load_plugins(plugin)
    setting = setting_of(backend, dialect, tokens, deadline)
    limit = max_requests if max_requests is not None else 5 * len(setting.listeners)
    called, promise, began = load_target(target), default_promise(limit), time.monotonic()
    faults = _faults(dialect, fault)
    typer.echo(words.heading(target, setting, faults, max_faults, virtual=is_async(called)))
    with opened(called, setting) as run:
        must_work(run, target)
        tell = _teller(target, setting, limit, faults, keep)
        coverage = explore(run, applicable(dialect, faults), promise, max_faults=max_faults, on_attempt=tell)
    typer.echo(f"\n{words.table(coverage)}\n\n{words.summary(coverage, time.monotonic() - began)}")
    sys.exit(1 if any(coverage.broken()) else 0)


def _faults(dialect: str, given: Sequence[str] | None) -> tuple[Fault, ...]:
    """Raises UserError for one that cannot be read, or that acts on no single request."""
    from chaosproxy.errors import BadValue
    from chaosproxy.faults import build
    from chaosproxy.plan.flat import parse_flat
    from chaosproxy.search.systematic import applicable

    if not given:
        return applicable(dialect)
    chosen: list[Fault] = []
    for text in given:
        try:
            values = parse_flat(text)
            chosen.append(build(values.pop("do")))
        except BadValue as error:
            raise UserError(f"--fault {text!r}: {error}") from None
        if values:
            raise UserError(f"--fault {text!r}: {', '.join(values)}: for which exchange it is, is what is enumerated")
        if not applicable(dialect, chosen[-1:]):
            raise UserError(f"--fault {text!r}: it acts on connections, and cannot be given to one request")
    return tuple(chosen)


def must_work(run: Run, target: str) -> None:
    """Raises UserError for a target that fails by itself."""
    seen = run(())
    if seen.error is not None:
        raise UserError(f"{target} fails without any fault: it raised {seen.error}")
    if seen.hung or seen.text != seen.expected:
        raise UserError(f"{target} fails without any fault: it {'hangs' if seen.hung else f'returned {seen.text!r}'}")


def _teller(
    target: str, setting: Setting, limit: int, faults: Sequence[Fault], keep: Path
) -> Callable[[Attempt], None]:
    """Writes and prints what is found, each way in which the promise is broken once."""
    from chaosproxy.report.systematic import finding
    from chaosproxy.search.case import Case, case_text
    from chaosproxy.search.systematic import plan_of

    known: set[str] = set()

    def tell(attempt: Attempt) -> None:
        broken = attempt.broken
        if broken is None or broken.key in known:
            return
        known.add(broken.key)
        case = Case(target, plan_of(attempt.injections, faults), setting, limit, broken)
        path = keep / f"{case.name}.yaml"
        try:
            keep.mkdir(parents=True, exist_ok=True)
            path.write_text(case_text(case), encoding="utf-8")
        except OSError as error:
            raise UserError(f"--keep: {path}: {(error.strerror or str(error)).lower()}") from None
        typer.echo(finding(attempt, broken, faults, str(path)))

    return tell
