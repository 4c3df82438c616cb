"""All commands, in the order in which a newcomer meets them."""

from __future__ import annotations

from typing import Annotated

import typer

from chaosproxy import __version__
from chaosproxy.cli import (
    ca,
    demo,
    drills,
    enumerate_plans,
    faults,
    hand,
    init,
    judge,
    lab,
    minimize,
    plan,
    profiles,
    report,
    run,
    runs,
    schema,
    search,
    serve,
    toxiproxy,
    validate,
)

app = typer.Typer(
    name="chaosproxy",
    help="Break LLM connections on purpose, and prove whether the system behind them falls back and recovers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - a callback of typer's
    if wanted:
        typer.echo(f"chaosproxy {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("toxiproxy")(toxiproxy.toxiproxy)
app.command("run")(run.run)
app.command("plan")(plan.plan)
app.command("status")(hand.status)
app.command("inject")(hand.inject)
app.command("heal")(hand.heal)
app.command("stop")(hand.stop)
app.command("check")(judge.check)
app.command("explain")(judge.explain)
app.command("runs")(runs.runs)
app.command("minimize")(minimize.minimize)
app.command("search")(search.search)
app.command("enumerate")(enumerate_plans.enumerate_plans)
app.command("replay")(search.replay)
app.command("report")(report.report)
app.command("compare")(report.compare)
app.command("validate")(validate.validate)
app.command("drills")(drills.drills)
app.command("faults")(faults.faults)
app.command("profiles")(profiles.profiles)
app.command("init")(init.init)
app.command("ca")(ca.ca)
app.command("schema")(schema.schema)
app.add_typer(lab.app, name="lab")
