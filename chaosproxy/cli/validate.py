"""``chaosproxy validate``: twenty calls, metrics and log of a server, in a few seconds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from chaosproxy.probes.validation.server_log import ServerLog
    from chaosproxy.probes.validation.validate import Wanted


def validate(
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL]", help="The server, without /v1. [default: FAKEAI_HOST and FAKEAI_PORT]"),
    ] = None,
    host: Annotated[str, typer.Option(envvar="FAKEAI_HOST", help="Without a URL: its host.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="FAKEAI_PORT", help="Without a URL: its port.")] = 8000,
    server_timeout: Annotated[
        str, typer.Option(envvar="SERVER_TIMEOUT", metavar="TIME", help="How long it may take to be there.")
    ] = "45s",
    request_timeout: Annotated[
        str, typer.Option(envvar="REQUEST_TIMEOUT", metavar="TIME", help="How long an answer may take.")
    ] = "15s",
    metrics: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where its metrics are; none: leave them out. [default: the server]"),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key-variable", metavar="NAME", help="Environment variable with its API key.")
    ] = None,
    log: Annotated[str | None, typer.Option(metavar="FILE", help="Its log, scanned for exceptions.")] = None,
    log_command: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="A program that prints its whole log.")
    ] = None,
    min_success: Annotated[
        str, typer.Option(metavar="P%", help="Enough calls; below 100% a failed one is no failed check.")
    ] = "100%",
) -> None:
    """Validate a server that speaks the OpenAI API: twenty calls, its metrics, its log.

    Ten plain and ten streamed calls over five models, an unknown path, five pages of metrics in JSON and whether they
    fit together. The last line is pass, partial (90 to 99 % of the checks) or fail.

    Exit codes: 0 pass; 1 anything else, also when the server is absent.

    Example: chaosproxy validate http://127.0.0.1:8000 --log server.log
    """
    import asyncio

    from chaosproxy.errors import BadValue, UserError

    try:
        where = url or f"http://{host}:{port}"
        wanted = _wanted(where, server_timeout, request_timeout, metrics, key, _log(log, log_command), min_success)
    except (BadValue, UserError) as error:
        typer.echo(f"chaosproxy validate: {error}\nfail", err=True)
        sys.exit(1)
    sys.exit(asyncio.run(_run(wanted)))


def _wanted(
    url: str,
    server_timeout: str,
    request_timeout: str,
    metrics: str | None,
    key: str | None,
    log: ServerLog | None,
    min_success: str,
) -> Wanted:
    """Raises BadValue, UserError."""
    import os

    from chaosproxy.errors import UserError, shown_url
    from chaosproxy.experiment.section import is_url
    from chaosproxy.probes.validation.validate import Wanted
    from chaosproxy.units import parse_share

    for text in (url, *([metrics] if metrics not in (None, "none") else [])):
        if not is_url(text or ""):
            raise UserError(
                f"expected an http or https URL, such as http://127.0.0.1:8000, got {shown_url(text or '')!r}"
            )
    if key is not None and key not in os.environ:
        raise UserError(f"--key-variable: the environment variable {key} is not set")
    return Wanted(
        url=url.rstrip("/").removesuffix("/v1"),
        metrics_url=None if metrics == "none" else metrics or url,
        server_timeout_s=_seconds(server_timeout),
        request_timeout_s=_seconds(request_timeout),
        min_success=parse_share(min_success),
        headers={"authorization": f"Bearer {os.environ[key] if key else 'none'}"},
        log=log,
    )


def _seconds(text: str) -> float:
    """``45s``; the variables of others are plain numbers of seconds. Raises BadValue."""
    from chaosproxy.units import parse_duration

    return parse_duration(f"{text}s" if text.replace(".", "", 1).isdecimal() else text)


def _log(path: str | None, command: str | None) -> ServerLog | None:
    """Raises UserError."""
    import shlex

    from chaosproxy.errors import UserError
    from chaosproxy.probes.validation.server_log import LogCommand, LogFile

    if path is not None and command is not None:
        raise UserError("--log and --log-command: give one of them")
    if path is not None:
        return LogFile(path)
    return None if command is None else LogCommand(tuple(shlex.split(command)))


async def _run(wanted: Wanted) -> int:
    from chaosproxy.errors import printable
    from chaosproxy.probes.validation.consistency import Check
    from chaosproxy.probes.validation.validate import Validation
    from chaosproxy.probes.validation.validate import validate as found

    validation = Validation(wanted)
    async for each in found(validation):
        if isinstance(each, Check):
            detail = f" ({each.detail})" if each.detail else ""
            typer.echo(printable(f"{'OK    ' if each.ok else 'FAILED'} {each.name}{detail}"))
        else:
            typer.echo(printable(str(each)))
    typer.echo(validation.summary)
    typer.echo(validation.verdict)
    return 0 if validation.verdict == "pass" else 1
