"""``chaosproxy run``: one experiment, its verdict, and an exit code that a pipeline can trust."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from chaosproxy.cli.plugins import Plugins, load_plugins
from chaosproxy.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from chaosproxy.experiment.model import Experiment
    from chaosproxy.runner.order import Order
    from chaosproxy.runner.run import Finished
    from chaosproxy.steady_state.findings import Verdict

Define = Annotated[
    list[str] | None, typer.Option("-D", "--define", metavar="NAME=VALUE", help="Override a variable of the file.")
]


def run(
    file: Annotated[str, typer.Argument(help="An experiment file, or the name of a shipped one (first-drill).")],
    define: Define = None,
    seed: Annotated[int | None, typer.Option(help="Replay with this seed.", min=0)] = None,
    inconclusive: Annotated[str, typer.Option(help="fail: exit code 3; warn: exit code 0.")] = "fail",
    plugin: Plugins = None,
    summary: Annotated[
        str | None, typer.Option(metavar="FILE", help="Add the verdict to this file, as Markdown for a pull request.")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of text.")] = False,
    html: Annotated[bool, typer.Option(help="Write report.html beside report.json.")] = True,
) -> None:
    """Run an experiment and judge it.

    Exit codes: 0 held, 1 deviated, 2 wrong file or usage, 3 inconclusive, 4 aborted, 5 error or heal not verified,
    130 interrupted, 143 terminated.

    Example: chaosproxy run first-drill -D profile=naive
    """
    from chaosproxy.cli.terminal import reader_may_leave
    from chaosproxy.report.console import print_verdict
    from chaosproxy.report.files import write_reports
    from chaosproxy.steady_state.verdict import verdict_json

    if inconclusive not in ("fail", "warn"):
        raise UserError(f"--inconclusive: expected fail or warn, got {inconclusive!r}")
    order = prepare(file, parse_defines(define), seed, plugins=load_plugins(plugin))
    finished = _run(order, quiet=json)
    write_reports(finished.verdict, order.directory, order.experiment.report.formats)
    if html and "html" in order.experiment.report.formats:
        _write_page(finished, order)
    _summarize(finished.verdict, summary)
    with reader_may_leave():
        if json:
            sys.stdout.write(verdict_json(finished.verdict))
        else:
            print_verdict(finished.verdict, order.directory)
    code = finished.verdict.exit_code
    sys.exit(0 if code == 3 and inconclusive == "warn" else code)


def _write_page(finished: Finished, order: Order) -> None:
    """What goes wrong with the picture says nothing about the run."""
    from chaosproxy.errors import ChaosError
    from chaosproxy.report.files import write_page

    try:
        write_page(finished.verdict, finished.journal, order.directory, compare_to=order.experiment.report.compare_to)
    except (ChaosError, OSError) as error:
        sys.stderr.write(f"report.html was not written: {error}\n")


def _summarize(verdict: Verdict, summary: str | None) -> None:
    """Into the file that was asked for, and into that of the step in which GitHub runs us."""
    import os
    from pathlib import Path

    from chaosproxy.report.files import append_summary

    for path in (summary, os.environ.get("GITHUB_STEP_SUMMARY")):
        if path:
            append_summary(verdict, Path(path))


def parse_defines(defines: list[str] | None) -> dict[str, str]:
    """``NAME=VALUE`` pairs. Raises UserError."""
    pairs = [text.partition("=") for text in defines or []]
    if wrong := [text for text, (name, equals, _) in zip(defines or [], pairs, strict=True) if not (name and equals)]:
        raise UserError(f"-D: expected NAME=VALUE, got {', '.join(map(repr, wrong))}")
    return {name: value for name, _, value in pairs}


def prepare(file: str, overrides: dict[str, str], seed: int | None, plugins: tuple[str, ...] = ()) -> Order:
    """Read the file and everything that it names; ``plugins`` are loaded already.

    Raises UserError, InvalidExperiment.
    """
    import os
    import secrets
    from datetime import UTC, datetime
    from pathlib import Path

    from chaosproxy.experiment.load_file import parse_experiment
    from chaosproxy.experiment.references import fill
    from chaosproxy.runner.order import Order
    from chaosproxy.shipped import find, profiles

    path = find(file)
    text = read_text(path)
    experiment = parse_experiment(text, str(path), profiles=profiles(), vars=overrides, env=os.environ, seed=seed)
    _check_certificates(experiment, path.parent)
    nonce = secrets.token_hex(3)
    started = datetime.now(UTC)  # noqa: TID251 - a date for people, in a folder's name
    run_id = f"{experiment.name}-{started:%Y%m%d-%H%M%S}-{nonce}"
    return Order(
        experiment=experiment,
        seed=secrets.randbelow(2**31) if experiment.seed is None else experiment.seed,
        run_id=run_id,
        nonce=nonce,
        file=file,
        text=text,
        overrides=overrides,
        directory=Path(fill(experiment.report.dir, {"run.id": run_id})),
        prompts=_prompts(experiment, path.parent),
        plugins=plugins,
        folder=path.parent,
    )


def read_text(path: Path) -> str:
    """A file of the user's, as text. Raises UserError."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: this is not a text file in UTF-8") from None


def _prompts(experiment: Experiment, beside: Path) -> dict[str, tuple[str, ...]]:
    """The lines of prompt files, per load; relative paths are meant from the experiment's own folder."""
    return {
        load.id: tuple(line for line in read_text(beside / load.file).splitlines() if line.strip())
        for load in experiment.load
        if load.file is not None
    }


def _check_certificates(experiment: Experiment, beside: Path) -> None:
    """Those that the experiment names can be used, which it is better to know before anything is started.

    Raises UserError.
    """
    from chaosproxy.proxy.certificates import KeyPair, client_context, server_context

    if experiment.topology.ca is not None:
        client_context(str(beside / experiment.topology.ca))
    for backend in experiment.topology.backends.values():
        if (tls := backend.tls) is not None:
            server_context(KeyPair(str(beside / tls.cert), None if tls.key is None else str(beside / tls.key)))


def _run(order: Order, *, quiet: bool) -> Finished:
    """Run with Ctrl-C and SIGTERM turned into an early, healed end."""
    import asyncio
    import signal
    from functools import partial

    from chaosproxy.cli.live import watching
    from chaosproxy.runner.order import Stop
    from chaosproxy.runner.run import run_experiment

    async def story() -> Finished:
        stop, loop = Stop(), asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, partial(stop.ask, "interrupted"))
        loop.add_signal_handler(signal.SIGTERM, partial(stop.ask, "terminated"))
        with watching(order, quiet=quiet) as on_record:
            return await run_experiment(order, on_record=on_record, stop=stop)

    return asyncio.run(story())
