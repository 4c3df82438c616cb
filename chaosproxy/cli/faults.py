"""``chaosproxy faults``: what there is, one fault in detail, or those with a symptom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chaosproxy.cli.plugins import Plugins, load_plugins

if TYPE_CHECKING:
    from chaosproxy.faults.docs import FaultDoc


def faults(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A fault, such as sse.drop.", show_default=False)
    ] = None,
    symptom: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help='Find faults by what the client sees: "stops in the middle".', show_default=False
        ),
    ] = None,
    plugin: Plugins = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List all faults, explain one, or find those with a symptom.

    Example: chaosproxy faults sse.drop
    """
    from chaosproxy.errors import UserError

    if name is not None and symptom is not None:
        raise UserError("a fault or a --symptom, not both")
    load_plugins(plugin)
    docs = _chosen(name, symptom)
    if as_json:
        _print_json(docs, alone=name is not None)
    else:
        _print_words(docs, name, symptom)


def _chosen(name: str | None, symptom: str | None) -> list[FaultDoc]:
    from chaosproxy.errors import BadValue, UserError
    from chaosproxy.faults import fault_class
    from chaosproxy.faults.docs import catalogue, document, find_symptom

    if name is None:
        return list(catalogue()) if symptom is None else find_symptom(symptom)
    try:
        return [document(fault_class(name))]
    except BadValue as error:
        raise UserError(str(error)) from None


def _print_words(docs: list[FaultDoc], name: str | None, symptom: str | None) -> None:
    from chaosproxy.cli.terminal import width
    from chaosproxy.faults.docs import catalogue
    from chaosproxy.report import catalogue as words

    if name is not None:
        typer.echo(words.explanation(docs[0], width()))
    elif symptom is None:
        typer.echo(words.overview(docs, width()))
        typer.echo("\n`chaosproxy faults NAME` explains one; `--symptom TEXT` finds them by what the client sees.")
    elif docs:
        typer.echo(words.symptoms(docs, width()))
    else:
        typer.echo(f"no fault is described with the words of {symptom!r}; all symptoms:", err=True)
        typer.echo(words.symptoms(catalogue(), width()))


def _print_json(docs: list[FaultDoc], *, alone: bool) -> None:
    import json
    from dataclasses import asdict

    values = [asdict(doc) for doc in docs]
    typer.echo(json.dumps(values[0] if alone else values, indent=2, ensure_ascii=False))
