"""``chaosproxy runs``: what has been run here, and the end of old results."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from chaosproxy.errors import BadValue, UserError

if TYPE_CHECKING:
    from pathlib import Path

OUT = "out"
"""Where runs are, unless somebody says otherwise: there is none before the first run."""


def runs(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Where the folders of the runs are.")] = OUT,
    keep: Annotated[
        int | None, typer.Option(metavar="N", help="With --prune: keep the N newest.", min=0, show_default=False)
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="With --prune: only those older than 30d, 12h.", show_default=False),
    ] = None,
    *,
    prune: Annotated[bool, typer.Option("--prune", help="Remove old runs; needs --keep or --older-than.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the runs in a folder, newest first, or remove old ones.

    Only folders of runs are removed, and only those that hold nothing else: a run that is under way and a folder with
    a file of yours in it stay. With --keep and --older-than, a run has to be beyond both.

    Example: chaosproxy runs --prune --keep 20
    """
    import time
    from pathlib import Path

    from chaosproxy.cli.terminal import reader_may_leave
    from chaosproxy.report import runs as report

    if not prune and (keep is not None or older_than is not None):
        raise UserError("--keep and --older-than say what --prune removes; give it, too")
    if prune and keep is None and older_than is None:
        raise UserError("--prune needs --keep N or --older-than AGE")
    age_s = None if older_than is None else _age(older_than)
    _check_folder(Path(folder))
    now_s = time.time()  # noqa: TID251 - runs are as old as the calendar says
    found = report.list_runs(Path(folder), now_s)
    with reader_may_leave():
        if not prune:
            typer.echo(json.dumps(report.values(found), indent=2) if as_json else report.runs_text(found))
            return
        old = report.to_prune(found, keep=keep, older_than_s=age_s, now_s=now_s)
        removed, left = report.remove_runs(old)
        for one in left:
            sys.stderr.write(f"{one.directory} stays: {one.why}\n")
        if as_json:
            typer.echo(json.dumps({"removed": removed, "kept": {one.directory: one.why for one in left}}, indent=2))
        else:
            typer.echo("\n".join([*(f"removed {path}" for path in removed), f"{len(removed)} removed"]))


def _check_folder(folder: Path) -> None:
    """Raises UserError where no runs can be; a mistyped name is no folder without runs."""
    if folder.is_dir():
        return
    if folder.exists():
        raise UserError(f"{folder}: not a folder; name the one that the folders of the runs are in")
    if str(folder) != OUT:
        raise UserError(f"{folder}: no such folder; name the one that the folders of the runs are in")


def _age(text: str) -> float:
    """Seconds of ``30d``, ``12h`` and the like. Raises UserError."""
    from chaosproxy.units import parse_duration

    day = 86_400
    try:
        return float(text[:-1]) * day if text.endswith("d") and text[:-1].isdecimal() else parse_duration(text)
    except BadValue:
        raise UserError(f"--older-than: expected an age such as 30d, 12h or 90m, got {text!r}") from None
