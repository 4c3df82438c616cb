"""``chaosproxy toxiproxy``: a drop-in Toxiproxy server."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from chaosproxy.toxics.server.api import ToxiproxyApi

Host = Annotated[str, typer.Option("--host", "-host", metavar="HOST", help="Address of the API.")]
Port = Annotated[int, typer.Option("--port", "-port", metavar="PORT", min=0, max=65535, help="0 picks a free one.")]
Config = Annotated[
    str | None,
    typer.Option("--config", "-config", metavar="FILE", help="JSON with proxies, and their toxics, to begin with."),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", "-seed", envvar="CHAOSPROXY_SEED", metavar="N", help="Of all chance. [default: random, logged]"
    ),
]
ProxyMetrics = Annotated[
    bool, typer.Option("--proxy-metrics", "-proxy-metrics", help="Count bytes and hits for Prometheus, at /metrics.")
]
RuntimeMetrics = Annotated[
    bool, typer.Option("--runtime-metrics", "-runtime-metrics", help="Show memory and CPU time at /metrics.")
]
Version = Annotated[
    bool, typer.Option("--version", "-version", help="Print the version of Toxiproxy that it stands for.")
]


@dataclass(frozen=True, slots=True)
class Given:
    """Flags as they are, and LOG_LEVEL."""

    listen: str
    config: str | None
    seed: int
    proxy_metrics: bool
    runtime_metrics: bool
    log_level: str


def toxiproxy(
    host: Host = "127.0.0.1",
    port: Port = 8474,
    config: Config = None,
    seed: Seed = None,
    *,
    proxy_metrics: ProxyMetrics = False,
    runtime_metrics: RuntimeMetrics = False,
    version: Version = False,
) -> None:
    """Be a Toxiproxy 2.12 server: any client of Toxiproxy works against it unchanged.

    Flags with one dash are understood, too. LOG_LEVEL is trace, debug, info, warn, error or disabled.

    Example: chaosproxy toxiproxy --config toxiproxy.json --seed 7
    """
    import os
    import secrets

    from chaosproxy.lab.part import run_process
    from chaosproxy.toxics.server.api import VERSION

    if version:
        typer.echo(f"toxiproxy-server version {VERSION}")
        return
    listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    chosen = secrets.randbelow(2**31) if seed is None else seed
    given = Given(listen, config, chosen, proxy_metrics, runtime_metrics, os.environ.get("LOG_LEVEL", ""))
    sys.exit(run_process(_serve(given)))


async def _serve(given: Given) -> None:
    """Until SIGINT or SIGTERM."""
    import asyncio

    import structlog

    from chaosproxy.lab.part import signals_end
    from chaosproxy.toxics.server.api import VERSION, ToxiproxyApi
    from chaosproxy.toxics.server.logs import log_to_stdout

    log_to_stdout(given.log_level)
    log = structlog.get_logger()
    log.info("Starting Toxiproxy", version=VERSION, seed=given.seed)
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    api = ToxiproxyApi(
        listen=given.listen,
        seed=given.seed,
        proxy_metrics=given.proxy_metrics,
        runtime_metrics=given.runtime_metrics,
    )
    with signals_end(told):
        if given.config is not None:
            await _populate(api, given.config)
        async with api:
            log.info("Starting Toxiproxy HTTP server", address=api.address)
            if not api.is_loopback:
                log.warning("The API has no authentication and can be reached from elsewhere", address=api.address)
            await told
            log.info("Shutdown started", signal=told.result())


async def _populate(api: ToxiproxyApi, config: str) -> None:
    """A file that is wrong is logged, and the server starts without the rest of it."""
    import asyncio
    from pathlib import Path

    import structlog

    from chaosproxy.toxics.server.go_text import GoError

    log = structlog.get_logger()
    try:
        done = await api.populate(await asyncio.to_thread(Path(config).read_bytes))
        problem: Exception | None = done.error
    except (OSError, GoError) as error:
        problem = error
    if problem is not None:
        log.error("Failed to populate proxies from file", config=config, error=str(problem))
    else:
        log.info("Populated proxies from file", proxies=len(done.proxies))
