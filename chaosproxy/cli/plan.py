"""``chaosproxy plan``: what an experiment would do; nothing is started and nothing injected."""

from __future__ import annotations

from typing import Annotated

import typer

from chaosproxy.cli.plugins import Plugins, load_plugins
from chaosproxy.cli.run import Define


def plan(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="An experiment file, or the name of a shipped one (first-drill).")
    ],
    define: Define = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="The seed of the run.", min=0, show_default=False)
    ] = None,
    plugin: Plugins = None,
) -> None:
    """Check an experiment and print its timeline, expected hits and samples; starts and injects nothing.

    Exit codes: 0 the file is valid (findings are warnings), 2 it is not.

    Example: chaosproxy plan first-drill -D rps=50
    """
    import os

    from chaosproxy.cli.run import beside, parse_defines, read_text
    from chaosproxy.experiment.linter import lint
    from chaosproxy.experiment.load_file import parse_experiment
    from chaosproxy.experiment.profiles import with_profiles
    from chaosproxy.experiment.yaml_text import read_yaml
    from chaosproxy.report.plan import plan_text
    from chaosproxy.shipped import find, profiles

    load_plugins(plugin)
    path = find(file)
    text, source = read_text(path), str(path)
    experiment = parse_experiment(
        text, source, profiles=profiles(), vars=parse_defines(define), env=os.environ, read=beside(path)
    )
    if seed is not None:
        experiment = experiment.with_seed(seed)
    typer.echo(plan_text(experiment, lint(experiment, with_profiles(read_yaml(text, source), profiles()))))
