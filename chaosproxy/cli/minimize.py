"""``chaosproxy minimize``: of a run that deviated, the smallest experiment that still does."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from chaosproxy.cli.plugins import Plugins, load_plugins
from chaosproxy.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from chaosproxy.experiment.model import Experiment
    from chaosproxy.experiment.yaml_text import Plain
    from chaosproxy.journal.records import Run
    from chaosproxy.runner.minimizing import Minimized, Terms
    from chaosproxy.runner.order import Order
    from chaosproxy.search.drill import Candidate, Drill
    from chaosproxy.steady_state.findings import Verdict


def minimize(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="The folder of a run that deviated, or its journal.jsonl; default: the newest run in out/.",
            show_default=False,
        ),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The expectation that must still deviate; default: the first that did.",
            show_default=False,
        ),
    ] = None,
    repeats: Annotated[
        int, typer.Option(metavar="N", help="Runs of a candidate, of which most must deviate.", min=1, max=99)
    ] = 3,
    budget: Annotated[str, typer.Option(metavar="TIME", help="How long the search may take.")] = "10m",
    file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The experiment file of that run; default: where it was.", show_default=False
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write; default: NAME-minimal.yaml.", show_default=False
        ),
    ] = None,
    plugin: Plugins = None,
) -> None:
    """Find the smallest experiment that deviates as a finished run did: its faults are left out, then halved.

    It runs the experiment again and again, in real time; how often, and how long that may take, is said before.
    Inconclusive runs count for nothing. Exit codes: 0 found (or the smallest within the budget), 2 wrong usage, 3 it
    did not deviate again, 130 interrupted, 143 terminated.

    Example: chaosproxy minimize out/first-drill-20261121-101500-44e241 --budget 10m
    """
    from chaosproxy.cli.judge import newest_run
    from chaosproxy.cli.terminal import reader_may_leave
    from chaosproxy.report.minimized import announced, minimized_text

    task = _task(run or newest_run("name the folder of one"), file, expect, load_plugins(plugin))
    target = task.output(output)
    terms = task.terms(repeats, _seconds(budget))
    sys.stderr.write(announced(task.drill, terms, task.takes_s) + "\n")
    minimized = _search(task, terms)
    if minimized.smallest is not None:
        target.write_text(task.header() + task.drill.text(minimized.smallest), encoding="utf-8")
    with reader_may_leave():
        typer.echo(minimized_text(task.drill, minimized, str(target), task.found.seed))
    sys.exit({"interrupted": 130, "terminated": 143}.get(minimized.broken_off, 0 if minimized.smallest else 3))


@dataclass(frozen=True)
class _Task:
    """A finished run and its experiment. ``takes_s`` is how long that run took; ``folder`` is for the search's own."""

    drill: Drill
    found: Run
    file: Path
    expectation: str
    takes_s: float
    planned_s: float
    folder: Path
    plugins: tuple[str, ...]

    def terms(self, repeats: int, budget_s: float) -> Terms:
        """Raises UserError when not one run fits into the budget."""
        from chaosproxy.runner.minimizing import Terms

        if budget_s < self.takes_s:
            raise UserError(f"--budget: one run takes about {self.takes_s:.1f} s, got {budget_s:g} s")
        return Terms(self.expectation, repeats, budget_s, max(0.0, self.takes_s - self.planned_s))

    def output(self, given: str | None) -> Path:
        """Where to write: beside the file, because its paths are meant from there; a shipped one stays alone.

        Raises UserError when something is there already, or nothing can be.
        """
        import os
        from pathlib import Path

        from chaosproxy.shipped import directory

        name = f"{self.file.stem}-minimal.yaml"
        shipped = self.file.resolve().is_relative_to(directory().resolve())
        path = Path(given) if given else Path(name) if shipped else self.file.with_name(name)
        if path.exists():
            raise UserError(f"{path} is there already; name another file with --output")
        if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
            raise UserError(f"{path}: there is no such folder, or it cannot be written to; name another with --output")
        return path

    def header(self) -> str:
        """Where the file comes from."""
        file, run = self.found.file, self.found.id
        return f"# The smallest part of {file} under which {self.expectation} deviates, as in the run {run}.\n"

    def order(self, candidate: Candidate, number: int) -> Order:
        """The order of a run, the ``number``-th; its file lies beside its journal."""
        from dataclasses import replace

        from chaosproxy.cli.run import prepare

        text = self.drill.text(candidate)
        order = prepare(str(self.file), {}, self.found.seed, self.plugins, text=text)
        directory = self.folder / f"{number:03}"
        directory.mkdir(parents=True, exist_ok=True)
        written = directory / "experiment.yaml"
        written.write_text(text, encoding="utf-8")
        return replace(order, directory=directory, file=str(written))


def _task(run: str, file: str | None, expect: str | None, plugins: tuple[str, ...]) -> _Task:
    import os
    from pathlib import Path

    from chaosproxy.cli.finished_run import deviated, experiment_of, file_of, lasted_s, run_of
    from chaosproxy.cli.judge import read_run
    from chaosproxy.cli.run import beside
    from chaosproxy.experiment.load_file import parse_experiment
    from chaosproxy.experiment.profiles import with_profiles
    from chaosproxy.experiment.sweep import with_settings
    from chaosproxy.experiment.yaml_text import read_yaml
    from chaosproxy.search.drill import Drill
    from chaosproxy.shipped import profiles

    path = Path(run)
    journal = read_run(run)
    folder = path if path.is_dir() else path.parent
    found = run_of(journal, run)
    source, text = file_of(found, file, folder)

    def read(candidate: str) -> Experiment:
        return parse_experiment(candidate, str(source), profiles=profiles(), env=os.environ, read=beside(source))

    experiment = experiment_of(found, source, text)
    expectation = deviated(journal, experiment, run, expect)
    plain = with_settings(with_profiles(read_yaml(text, str(source)), profiles()), found.settings).plain()
    return _Task(
        drill=Drill(_as_run(plain, found), experiment, expectation, read),
        found=found,
        file=source,
        expectation=expectation,
        takes_s=lasted_s(journal) or experiment.planned_s,
        planned_s=experiment.planned_s,
        folder=_free_folder(folder),
        plugins=plugins,
    )


def _as_run(plain: dict[str, Plain], run: Run) -> dict[str, Plain]:
    """The file with the seed, the variables and the proxy of the run, so that it needs no options."""
    first: dict[str, Plain] = {key: plain[key] for key in ("experiment", "name", "question") if key in plain}
    given = plain.get("vars")
    variables: dict[str, Plain] = {**(given if isinstance(given, dict) else {}), **run.vars}
    rest = {key: value for key, value in plain.items() if key not in (*first, "seed", "vars")}
    topology = rest.get("topology")
    if run.attach and isinstance(topology, dict) and "attach" not in topology:
        rest["topology"] = {**topology, "attach": {"control": run.attach, "token": "${env:CHAOSPROXY_TOKEN}"}}
    return {**first, "seed": str(run.seed), **({"vars": variables} if variables else {}), **rest}


def _free_folder(run: Path) -> Path:
    """Inside the run's: ``minimize``, or ``minimize-2`` and so on. Raises UserError when it cannot be made there."""
    import os

    from chaosproxy.plan.rule import free_id

    if not os.access(run, os.W_OK):
        raise UserError(f"{run}: cannot be written to, and the runs of the search are kept there")
    return run / free_id("minimize", [path.name for path in run.iterdir()])


def _seconds(budget: str) -> float:
    from chaosproxy.errors import BadValue
    from chaosproxy.units import parse_duration

    try:
        return parse_duration(budget)
    except BadValue as error:
        raise UserError(f"--budget: {error}") from None


def _search(task: _Task, terms: Terms) -> Minimized:
    """Run it with Ctrl-C and SIGTERM turned into an early, healed end."""
    import asyncio
    import signal
    from functools import partial
    from itertools import count

    from chaosproxy.report.minimized import tried_line
    from chaosproxy.runner.minimizing import Minimizing
    from chaosproxy.runner.order import Stop
    from chaosproxy.runner.run import run_experiment
    from chaosproxy.search.minimize import minimize as steps

    numbers, lines = count(1), count(1)

    async def search() -> Minimized:
        stop, loop = Stop(), asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, partial(stop.ask, "interrupted"))
        loop.add_signal_handler(signal.SIGTERM, partial(stop.ask, "terminated"))

        async def judged(order: Order) -> Verdict:
            return (await run_experiment(order, stop=stop)).verdict

        minimizing = Minimizing(
            terms,
            lambda candidate: task.order(candidate, next(numbers)),
            judged,
            on_tried=lambda tried: _say(f"  {next(lines):3}  {tried_line(tried)}"),
        )
        return await minimizing.search(steps(task.drill))

    return asyncio.run(search())


def _say(line: str) -> None:
    """That nobody reads it any more is no reason to end the search."""
    from contextlib import suppress

    with suppress(BrokenPipeError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
