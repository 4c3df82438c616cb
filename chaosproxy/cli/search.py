"""``chaosproxy search`` and ``replay``: the smallest set of faults that breaks a client, found and tried again."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaosproxy.cli.plugins import Plugins, load_plugins
from chaosproxy.errors import UserError

if TYPE_CHECKING:
    from chaosproxy.runner.search import Found, Search
    from chaosproxy.search.observation import Observation, Plan, Setting, Target
    from chaosproxy.search.promise import Broken

Where = Annotated[
    str, typer.Option("--target", metavar="MODULE:NAME", help="`async def call(asked)`: asks once, returns the text.")
]
Backends = Annotated[
    list[str] | None,
    typer.Option(
        "--backend", metavar="NAME", help="A backend with a listener of ours before it; repeat it.  [primary]"
    ),
]


def search(
    target: Where,
    max_faults: Annotated[int, typer.Option(min=1, max=10, help="At most so many at once.")] = 3,
    examples: Annotated[int, typer.Option(min=1, help="How many sets of faults are tried.")] = 5000,
    seed: Annotated[int | None, typer.Option(min=0, help="Try the same sets again.")] = None,
    backend: Backends = None,
    dialect: Annotated[str, typer.Option(help="What the target speaks.")] = "openai.chat",
    tokens: Annotated[int, typer.Option(min=1, max=1000, help="The length of each answer.")] = 5,
    deadline: Annotated[str, typer.Option(metavar="TIME", help="A call that takes longer hangs.")] = "60s",
    max_requests: Annotated[
        int | None, typer.Option(min=1, help="How many requests one call may cost.  [5 for each backend]")
    ] = None,
    keep: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where findings are kept; they are tried first the next time.")
    ] = Path("found"),
    plugin: Plugins = None,
) -> None:
    """Look for sets of faults under which a client hangs, passes off half an answer as whole, or asks for ever.

    A call must return the whole text or raise. Each way in which it does not is shrunk to the smallest set of faults,
    which is printed as an experiment file.

    Exit codes: 0 nothing found, 1 found, 2 wrong usage, or a target that fails without any fault.

    Example: chaosproxy search --target myapp:call --max-faults 3 --examples 5000
    """
    load_plugins(plugin)
    setting = setting_of(backend, dialect, tokens, deadline)
    limit = max_requests if max_requests is not None else 5 * len(setting.listeners)
    found = _search(target, setting, limit, max_faults=max_faults, examples=examples, seed=seed, keep=keep)
    sys.exit(1 if found else 0)


def replay(
    file: Annotated[Path, typer.Argument(help="A file that chaosproxy search has written.")],
    target: Annotated[
        str | None, typer.Option(metavar="MODULE:NAME", help="Another target than the one in the file.")
    ] = None,
    plugin: Plugins = None,
) -> None:
    """Try a found set of faults again: FIXED or STILL FAILS.

    Exit codes: 0 fixed, 1 still fails, 2 wrong file or usage, 3 inconclusive: no fault met a request.

    Example: chaosproxy replay found/myapp-call-silent_truncated.yaml
    """
    from chaosproxy.report.search import not_met, replayed

    load_plugins(plugin)
    named, plan, setting, limit = _read(file)
    seen, broken = _try(target or named, plan, setting, limit)
    typer.echo(replayed(str(file), plan, seen, None if broken is None else broken.words))
    sys.exit(1 if broken is not None else 3 if not_met(plan, seen) else 0)


def load_target(text: str) -> Target:
    """What ``MODULE:NAME`` names, found as from the current folder. Raises UserError."""
    from difflib import get_close_matches

    from chaosproxy.cli.plugins import imported, see_this_folder

    name, colon, attribute = text.partition(":")
    if not (name and colon and attribute):
        raise UserError(f"--target: expected MODULE:NAME, such as myapp:call, got {text!r}")
    see_this_folder()
    module = imported(name, "--target")
    found = getattr(module, attribute, None)
    if found is None:
        near = get_close_matches(attribute, [each for each in vars(module) if not each.startswith("_")], n=1)
        raise UserError(f"--target: {name} has no {attribute!r}{f', did you mean {near[0]!r}?' if near else ''}")
    found = getattr(found, "chaos_target", found)
    if not callable(found):
        raise UserError(f"--target: {text} is not a function; expected `async def {attribute}(asked)`")
    return found  # type: ignore[no-any-return]


def setting_of(backends: Sequence[str] | None, dialect: str, tokens: int, deadline: str) -> Setting:
    """The world that the options ask for. Raises UserError with what is wrong."""
    from difflib import get_close_matches

    from chaosproxy.errors import BadValue
    from chaosproxy.search.observation import Setting
    from chaosproxy.units import parse_duration
    from chaosproxy.wire.dialects import DIALECTS

    names = [known.name for known in DIALECTS if known.name != "raw"]
    if dialect not in names:
        near = get_close_matches(dialect, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(names)}"
        raise UserError(f"--dialect: unknown dialect {dialect!r}, {hint}")
    listeners = tuple(backends or ["primary"])
    if len(set(listeners)) < len(listeners):
        raise UserError(f"--backend: names must differ, got {', '.join(listeners)}")
    try:
        deadline_s = parse_duration(deadline)
    except BadValue as error:
        raise UserError(f"--deadline: {error}") from None
    return Setting(dialect=dialect, listeners=listeners, tokens=tokens, deadline_s=deadline_s)


def _search(
    target: str, setting: Setting, limit: int, *, max_faults: int, examples: int, seed: int | None, keep: Path
) -> bool:
    """Whether anything was found, or still fails."""
    import secrets
    import time

    from chaosproxy.report import search as words
    from chaosproxy.runner.search import Search
    from chaosproxy.runner.world import is_async, opened
    from chaosproxy.search.promise import default_promise

    called, began = load_target(target), time.monotonic()
    seed = secrets.randbelow(2**31) if seed is None else seed
    virtual = is_async(called)
    typer.echo(words.heading(target, setting, max_faults=max_faults, examples=examples, seed=seed, virtual=virtual))
    failing = [broken for broken in _kept(keep, target) if broken is not None]
    with opened(called, setting) as run:
        hunt = Search(run, default_promise(limit), setting, max_faults=max_faults, seed=seed)
        hunt.known |= {broken.key for broken in failing}
        _must_work(hunt, target)
        count = 0
        for found in hunt.findings(examples):
            count += 1
            typer.echo(_write(found, target, setting, limit, keep))
    tally = hunt.tally
    took_s = time.monotonic() - began
    typer.echo(words.summary(count, failing=len(failing), examples=tally.examples, runs=tally.runs, took_s=took_s))
    return bool(count or failing)


def _must_work(hunt: Search, target: str) -> None:
    broken, seen = hunt.judge(())
    if seen.error is not None:
        raise UserError(f"{target} fails without any fault: it raised {seen.error}")
    if broken is not None:
        raise UserError(f"{target} fails without any fault: the call {broken.words}")


def _write(found: Found, target: str, setting: Setting, limit: int, keep: Path) -> str:
    from chaosproxy.report.search import finding
    from chaosproxy.search.case import Case, case_text

    case = Case(target, found.plan, setting, limit, found.broken)
    path = keep / f"{case.name}.yaml"
    try:
        keep.mkdir(parents=True, exist_ok=True)
        path.write_text(case_text(case), encoding="utf-8")
    except OSError as error:
        raise UserError(f"--keep: {path}: {(error.strerror or str(error)).lower()}") from None
    return finding(case, path, after=found.after, shrinking=found.shrinking)


def _kept(keep: Path, target: str) -> Iterator[Broken | None]:
    """What has been found before in this target, tried again."""
    from chaosproxy.report.search import replayed

    for path in sorted(keep.glob("*.yaml")):
        named, plan, setting, limit = _read(path)
        if named == target:
            seen, broken = _try(target, plan, setting, limit)
            typer.echo(replayed(str(path), plan, seen, None if broken is None else broken.words))
            yield broken


def _read(file: Path) -> tuple[str, Plan, Setting, int]:
    """Target, plan, setting and the most requests of a case. Raises UserError, InvalidExperiment."""
    from chaosproxy.cli.run import read_text
    from chaosproxy.experiment.load_file import parse_experiment
    from chaosproxy.search.case import case_of

    return case_of(parse_experiment(read_text(file), str(file)), str(file))


def _try(target: str, plan: Plan, setting: Setting, limit: int) -> tuple[Observation, Broken | None]:
    """Run one plan in a world of its own."""
    from chaosproxy.runner.world import opened
    from chaosproxy.search.promise import default_promise

    with opened(load_target(target), setting) as run:
        seen = run(plan)
    return seen, default_promise(limit)(plan, seen)
