"""``chaosproxy drills``: what ships for systems of a kind that the user may own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from chaosproxy.shipped import Drill


def drills(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="[KIND]", help="A kind of system, such as streaming-adapter.", show_default=False),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the ready-made drills for five kinds of LLM system, each with how it is run.

    Example: chaosproxy drills load-balancing-gateway
    """
    import json

    from chaosproxy import shipped
    from chaosproxy.cli.terminal import reader_may_leave
    from chaosproxy.errors import UserError
    from chaosproxy.experiment.references import hint

    if kind is not None and kind not in shipped.KINDS:
        raise UserError(f"no kind of system is called {kind!r}{hint(kind, shipped.KINDS)}; known: {_listed()}")
    found = shipped.drills(kind)
    with reader_may_leave():
        if as_json:
            typer.echo(json.dumps([_values(drill) for drill in found], indent=2, ensure_ascii=False))
            return
        for name, what in shipped.KINDS.items():
            if kind in (None, name):
                typer.echo(_words(name, what, [drill for drill in found if drill.kind == name]))
        typer.echo("on your own system: -D system=URL and more; the README beside each drill says what")
        typer.echo(f"they lie in {shipped.directory()}")


def _listed() -> str:
    from chaosproxy.shipped import KINDS

    return ", ".join(KINDS)


def _words(name: str, what: str, found: list[Drill]) -> str:
    lines = [f"  {drill.command}\n      {drill.question}" for drill in found]
    return "\n".join([f"{name}: {what}", *(lines or ["  (none yet)"]), ""])


def _values(drill: Drill) -> dict[str, str]:
    return {
        "name": drill.name,
        "kind": drill.kind,
        "question": drill.question,
        "command": drill.command,
        "path": str(drill.path),
    }
