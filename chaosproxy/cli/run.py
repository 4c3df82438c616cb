"""``chaosproxy run``: experiments, their verdicts, and an exit code that a pipeline can trust."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from chaosproxy.cli.plugins import Plugins, load_plugins
from chaosproxy.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chaosproxy.cli.results import Results
    from chaosproxy.experiment.model import Experiment
    from chaosproxy.runner.order import Order
    from chaosproxy.runner.run import Finished

REPEAT_MAX = 1000

Define = Annotated[
    list[str] | None, typer.Option("-D", "--define", metavar="NAME=VALUE", help="Override a variable of the file.")
]


FILE_BYTES_MAX = 64 * 1024**2
"""The longest file of a user's that is read whole; prompts may be many."""


def run(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Experiment files, or names of shipped ones (first-drill)."),
    ],
    define: Define = None,
    seed: Annotated[
        int | None, typer.Option(help="Replay with this seed; with --repeat it is the first one.", min=0)
    ] = None,
    inconclusive: Annotated[str, typer.Option(help="fail: exit code 3; warn: exit code 0.")] = "fail",
    repeat: Annotated[
        int, typer.Option(metavar="N", help="Run each N times, with other seeds.", min=1, max=REPEAT_MAX)
    ] = 1,
    min_pass_rate: Annotated[
        str | None,
        typer.Option(metavar="P%", help="Enough for 0: this share of each experiment's runs held and none broke."),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH=V,V...",
            help="Run with each value in the file's place (faults.part.lasts=1s,5s); several make a grid.",
        ),
    ] = None,
    plugin: Plugins = None,
    attach: Annotated[
        str | None, typer.Option(metavar="URL", help="Drive a proxy that runs: the URL of its control API.")
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option(
            envvar="CHAOSPROXY_TOKEN_FILE", metavar="FILE", help="File with its token. [default: CHAOSPROXY_TOKEN]"
        ),
    ] = None,
    summary: Annotated[
        str | None, typer.Option(metavar="FILE", help="Add the verdict to this file, as Markdown for a pull request.")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of text.")] = False,
    html: Annotated[bool, typer.Option(help="Write report.html beside report.json.")] = True,
) -> None:
    """Run experiments and judge them.

    Exit codes: 0 held, 1 deviated, 2 wrong file or usage, 3 inconclusive, 4 aborted, 5 error or heal not verified,
    130 interrupted, 143 terminated. Of several runs the worst counts: 5, 130, 4, 1, 3, 0.

    Example: chaosproxy run first-drill -D profile=naive
    """
    from chaosproxy.cli.results import Results
    from chaosproxy.cli.series import Given, cells_of, run_series

    if inconclusive not in ("fail", "warn"):
        raise UserError(f"--inconclusive: expected fail or warn, got {inconclusive!r}")
    attached = None if attach is None else _attach(attach, token_file)
    given = Given(tuple(files), parse_defines(define), seed, repeat, min_pass_rate, tuple(sweep or ()), attached)
    cells = cells_of(given, load_plugins(plugin))
    one = len(cells) == 1 and repeat == 1 and min_pass_rate is None
    results = Results(html, summary)
    code = _run_one(cells[0], results, json=json) if one else run_series(given, cells, results, json=json)
    sys.exit(0 if code == 3 and inconclusive == "warn" else code)


def _run_one(order: Order, results: Results, *, json: bool) -> int:
    """One run with its whole report; its exit code."""
    from chaosproxy.cli.terminal import reader_may_leave
    from chaosproxy.report.console import print_verdict
    from chaosproxy.report.markdown import markdown
    from chaosproxy.steady_state.verdict import verdict_json

    finished = _run(order, quiet=json)
    results.write(finished, order)
    results.summarize(markdown(finished.verdict))
    with reader_may_leave():
        if json:
            sys.stdout.write(verdict_json(finished.verdict))
        else:
            print_verdict(finished.verdict, order.directory)
    return finished.verdict.exit_code


def parse_defines(defines: list[str] | None) -> dict[str, str]:
    """``NAME=VALUE`` pairs. Raises UserError."""
    pairs = [text.partition("=") for text in defines or []]
    if wrong := [text for text, (name, equals, _) in zip(defines or [], pairs, strict=True) if not (name and equals)]:
        raise UserError(f"-D: expected NAME=VALUE, got {', '.join(map(repr, wrong))}")
    return {name: value for name, _, value in pairs}


def _attach(control: str, token_file: str | None) -> dict[str, str]:
    """The keys of ``topology.attach``. Raises UserError."""
    from chaosproxy.cli.setup import read_token
    from chaosproxy.control.address import control_url

    token = read_token(token_file)
    return {"control": control_url(control, "--attach"), **({} if token is None else {"token": token})}


def prepare(
    file: str,
    overrides: dict[str, str],
    seed: int | None,
    plugins: tuple[str, ...] = (),
    settings: dict[str, str] | None = None,
    attach: dict[str, str] | None = None,
    *,
    text: str | None = None,
) -> Order:
    """Read the file and everything that it names; ``plugins`` are loaded already, ``settings`` are swept values,
    ``attach`` wins over the file's, ``text`` stands in the file's place.

    Raises UserError, InvalidExperiment.
    """
    import os
    import secrets
    from pathlib import Path

    from chaosproxy.experiment.load_file import parse_experiment
    from chaosproxy.runner.order import Order
    from chaosproxy.shipped import find, profiles

    path = find(file)
    text = read_text(path) if text is None else text
    experiment = parse_experiment(
        text,
        str(path),
        profiles=profiles(),
        vars=overrides,
        env=os.environ,
        settings=settings,
        attach=attach,
        read=beside(path),
    )
    _check_certificates(experiment, path.parent)
    seed = experiment.seed if seed is None else seed
    order = Order(
        experiment=experiment,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        run_id="",
        nonce="",
        file=file,
        text=text,
        overrides=overrides,
        directory=Path(),
        prompts=_prompts(experiment, path.parent),
        plugins=plugins,
        folder=path.parent,
        settings=settings or {},
    )
    return another(order, order.seed)


def another(order: Order, seed: int) -> Order:
    """The same once more: with an id, a nonce and a folder of its own."""
    import secrets
    from dataclasses import replace
    from datetime import UTC, datetime
    from pathlib import Path

    from chaosproxy.experiment.references import fill

    nonce = secrets.token_hex(3)
    started = datetime.now(UTC)  # noqa: TID251 - a date for people, in a folder's name
    run_id = f"{order.experiment.name}-{started:%Y%m%d-%H%M%S}-{nonce}"
    directory = Path(fill(order.experiment.report.dir, {"run.id": run_id}))
    return replace(order, seed=seed, run_id=run_id, nonce=nonce, directory=directory)


def read_text(path: Path) -> str:
    """A file of the user's, as text. Raises UserError."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise UserError(f"{path}: longer than {FILE_BYTES_MAX // 1024**2} MiB")
        return data.decode("utf-8")
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: this is not a text file in UTF-8") from None


def beside(path: Path) -> Callable[[str], str]:
    """Reads files that an experiment names; relative paths are meant from its own folder."""
    return lambda name: read_text(path.parent / name)


def _prompts(experiment: Experiment, beside: Path) -> dict[str, tuple[str, ...]]:
    """The lines of prompt files, per load; relative paths are meant from the experiment's own folder."""
    return {
        load.id: tuple(line for line in read_text(beside / load.file).splitlines() if line.strip())
        for load in experiment.loads
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
