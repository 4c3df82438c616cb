"""``chaosproxy lab``: start something to drill on by hand, or check the backend's answers."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from chaosproxy.cli.verify import verify

app = typer.Typer(
    help="Start a mock LLM backend, a gateway or a model-availability system to drill on.", no_args_is_help=True
)

Listen = Annotated[str, typer.Option(metavar="HOST:PORT", help="Address; port 0 picks a free one.")]
Leash = Annotated[bool, typer.Option("--leash", help="End when standard input closes.", hidden=True)]
Settings = Annotated[
    list[str] | None,
    typer.Argument(
        help="Settings, as under systems: of an experiment file.", metavar="[KEY=VALUE]...", show_default=False
    ),
]


@app.command()
def backend(settings: Settings = None, listen: Listen = "127.0.0.1:8000", *, leash: Leash = False) -> None:
    """A mock LLM server that speaks OpenAI chat and Anthropic messages.

    Example: chaosproxy lab backend ttft=200ms tokens=40 should_fail.gpt-4=503
    """
    from chaosproxy.cli.settings import read_settings
    from chaosproxy.experiment.lab_settings import BackendSettings
    from chaosproxy.lab.backend import run_backend
    from chaosproxy.lab.part import run_process

    read = read_settings(BackendSettings, settings or [], "lab backend")
    sys.exit(run_process(run_backend(read, listen, leash=leash)))


@app.command()
def gateway(
    settings: Settings = None,
    upstream: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=URL", help="In order of preference; repeat it.", show_default=False),
    ] = None,
    profile: Annotated[str, typer.Option(metavar="NAME", help="resilient or naive.")] = "resilient",
    pool: Annotated[
        str | None, typer.Option(metavar="NAME=WEIGHT,...", help="Weights; 0 is a last resort.", show_default=False)
    ] = None,
    cache: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Redis in which whole answers are kept (redis://...).", show_default=False),
    ] = None,
    cooldown: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How long an unhealthy upstream is left alone. [default: 1s]"),
    ] = None,
    listen: Listen = "127.0.0.1:8080",
    *,
    leash: Leash = False,
) -> None:
    """A gateway with fallback, weights and a cache, resilient or naive.

    Example: chaosproxy lab gateway --upstream primary=http://127.0.0.1:9001 --upstream secondary=http://127.0.0.1:9002
    """
    from chaosproxy.cli.settings import pair, read_settings
    from chaosproxy.experiment.lab_settings import GatewaySettings
    from chaosproxy.lab.gateway import run_gateway
    from chaosproxy.lab.part import run_process

    options = {"pool": pool, "cache": cache, "cooldown": cooldown}
    given: dict[str, object] = {"profile": profile, **{key: text for key, text in options.items() if text is not None}}
    if upstream:
        given["upstreams"] = dict(pair(text, "--upstream") for text in upstream)
    read = read_settings(GatewaySettings, settings or [], "lab gateway", given)
    sys.exit(run_process(run_gateway(read, listen, leash=leash)))


@app.command()
def availability(
    settings: Settings = None,
    provider: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=URL", help="Who answers calls, in order of preference; repeat it."),
    ] = None,
    profile: Annotated[str, typer.Option(metavar="NAME", help="resilient or naive.")] = "resilient",
    listen: Listen = "127.0.0.1:8090",
    *,
    leash: Leash = False,
) -> None:
    """A model-availability system: downloads, health, availability, fallback and usage, with a status page each.

    Example: chaosproxy lab availability --provider primary=http://127.0.0.1:9001 store=http://127.0.0.1:9002
    """
    from chaosproxy.cli.settings import pair, read_settings
    from chaosproxy.experiment.availability_settings import AvailabilitySettings
    from chaosproxy.lab.availability import run_availability
    from chaosproxy.lab.part import run_process

    given: dict[str, object] = {"profile": profile}
    if provider:
        given["providers"] = dict(pair(text, "--provider") for text in provider)
    read = read_settings(AvailabilitySettings, settings or [], "lab availability", given)
    sys.exit(run_process(run_availability(read, listen, leash=leash)))


app.command()(verify)
