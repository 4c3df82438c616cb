"""``chaosproxy init``: a first experiment for the user's own URLs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from chaosproxy.errors import UserError, shown_url


def init(
    entry: Annotated[
        str | None, typer.Option(metavar="URL", help="What clients of the system under test call.", show_default=False)
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=URL", help="An LLM backend that the system calls; repeat it.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Model that the calls ask for. [default: gpt-4o-mini, or LiteLLM's first]"),
    ] = None,
    from_litellm: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Configuration of LiteLLM's proxy: also write a copy of it that calls our listeners, and these.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write.")] = Path("drill.yaml"),
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a first experiment for your own URLs; on a terminal it asks for what is missing.

    Example: chaosproxy init --entry http://localhost:8080 --backend primary=https://api.openai.com/v1
    """
    from chaosproxy.experiment.starter import listener_urls, starter

    if from_litellm is not None:
        from chaosproxy.cli.from_litellm import write_all

        if backend:
            raise UserError("--backend and --from-litellm: the backends stand in LiteLLM's configuration")
        write_all(from_litellm, entry, model, out, force=force)
        return
    _refuse_to_overwrite(out, force=force)
    entry, backends = _complete(entry, backend or [])
    text = starter(entry, backends, model or "gpt-4o-mini")
    _check(text, str(out))
    _write(out, text, force=force)
    typer.echo(f"wrote {out}\n\nnext:\n  1. let your system call our listeners instead of its backends:")
    for name, url in listener_urls(backends).items():
        typer.echo(f"       {name}: {url}   instead of {backends[name]}")
    typer.echo(f"  2. chaosproxy plan {out}\n  3. chaosproxy run {out}")


def _complete(entry: str | None, given: list[str]) -> tuple[str, dict[str, str]]:
    """Entry and backends, asked for where they are missing. Raises UserError with all mistakes."""
    from chaosproxy.experiment.section import is_url

    if (entry is None or not given) and not _somebody_is_there():
        raise UserError("give --entry URL and at least one --backend NAME=URL (on a terminal, init asks for them)")
    if entry is None:
        entry = typer.prompt("URL that clients of your system call")
    texts = given or _ask_for_backends()
    backends: dict[str, str] = {}
    mistakes = [] if is_url(entry) else [f"--entry: expected an http or https URL, got {shown_url(entry)!r}"]
    for text in texts:
        name, _, url = text.partition("=")
        if not is_url(url):
            mistakes.append(
                f"--backend: expected NAME=URL, such as primary=https://api.openai.com/v1, got {shown_url(text)!r}"
            )
        elif name in backends:
            mistakes.append(f"--backend: {name} is given twice")
        backends[name] = url
    if mistakes:
        raise UserError("\n".join(mistakes))
    return entry, backends


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()


def _ask_for_backends() -> list[str]:
    texts = [f"primary={typer.prompt('URL of its first LLM backend')}"]
    if url := typer.prompt("URL of its fallback backend (empty: none)", default="", show_default=False):
        texts.append(f"fallback={url}")
    return texts


def _check(text: str, source: str) -> None:
    """What the file would say is checked before it is written: a name, a model or a URL may not fit."""
    from chaosproxy.experiment.load_file import parse_experiment

    parse_experiment(text, source)


def _refuse_to_overwrite(out: Path, *, force: bool) -> None:
    if out.is_dir():
        raise UserError(f"--out: {out} is a directory")
    if out.exists() and not force:
        raise UserError(f"{out} exists; choose another --out, or overwrite it with --force")


def _write(out: Path, text: str, *, force: bool) -> None:
    try:
        with out.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"{out} exists; choose another --out, or overwrite it with --force") from None
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}") from error
