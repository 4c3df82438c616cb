"""``chaosproxy check`` and ``chaosproxy explain``: what a finished run says, without running it again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from chaosproxy.cli.plugins import Plugins, load_plugins
from chaosproxy.cli.run import Define, parse_defines, read_text
from chaosproxy.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from chaosproxy.journal.reading import Journal

JOURNAL = "journal.jsonl"
OPENING_PIECE = "runner.ndjson"
"""The runner's own records, which begin with its opening and that of the run."""

JournalFile = Annotated[str, typer.Argument(metavar="JOURNAL", help="A journal.jsonl of a run.")]


def check(
    journal: JournalFile,
    file: Annotated[str, typer.Argument(help="The experiment file of that run.")],
    define: Define = None,
    plugin: Plugins = None,
) -> None:
    """Judge a finished run again and print its report.json; the exit code is the verdict's.

    Variables come from the journal, as they were given to the run; -D overrides them. A file that is not the one of
    the run, byte for byte, is judged by as well, with a warning.

    Example: chaosproxy check out/first-drill-.../journal.jsonl first-drill
    """
    from pathlib import Path

    from chaosproxy.cli.finished_run import experiment_of, file_of, run_of
    from chaosproxy.cli.terminal import reader_may_leave
    from chaosproxy.steady_state.verdict import judge, verdict_json

    load_plugins(plugin)
    read = read_run(journal)
    run = run_of(read, journal)
    path, text = file_of(run, file, Path())
    verdict = judge(read, experiment_of(run, path, text, parse_defines(define)).claims())
    with reader_may_leave():
        sys.stdout.write(verdict_json(verdict))
    sys.exit(verdict.exit_code)


def read_run(journal: str) -> Journal:
    """A journal, or that of a run's folder; where a killed runner left none, its pieces, one per process."""
    from pathlib import Path

    from chaosproxy.journal.reading import merge

    path = Path(journal)
    path = path / JOURNAL if path.is_dir() else path
    pieces = pieces_of(path)
    if not pieces:
        return _read_file(path)
    sys.stderr.write(f"{path.parent}: the runner was killed before it wrote {JOURNAL}; these are its pieces\n")
    opened = any(piece.name == OPENING_PIECE for piece in pieces)
    return merge(_read_file(piece, opens=piece.name == OPENING_PIECE or not opened) for piece in pieces)


def pieces_of(journal: Path) -> list[Path]:
    """What a killed runner left where its journal would be; nothing where there is a journal."""
    there = journal.exists() or journal.name != JOURNAL
    return [] if there else sorted(journal.parent.glob("*.ndjson"))


def _read_file(path: Path, *, opens: bool = True) -> Journal:
    from chaosproxy.errors import JournalBroken
    from chaosproxy.journal.reading import read_journal, read_piece

    text = read_text(path)
    try:
        return (read_journal if opens else read_piece)(text.splitlines())
    except JournalBroken as error:
        raise JournalBroken(f"{path}: {error}") from None


def explain(
    exchange: Annotated[str, typer.Argument(help="An exchange's id, LISTENER#3, #3, or the id of a call.")],
    journal: Annotated[str | None, typer.Option(help="The journal; default: that of the newest run in out/.")] = None,
) -> None:
    """Say why each fault of a run did or did not hit an exchange.

    Example: chaosproxy explain 'secondary#12'
    """
    from chaosproxy.journal import explanation

    journal = journal or newest_run("give a journal: --journal FILE")
    records = read_run(journal).records
    found = explanation.find_exchanges(records, exchange)
    connections = explanation.find_connections(records, exchange)
    if not found and not connections:
        raise UserError(f"{journal}: no exchange and no call {exchange!r}")
    sys.stderr.write(f"{journal}\n")
    for one in found:
        typer.echo("\n".join(explanation.explain(records, one)))
    for connection in connections:
        typer.echo("\n".join(explanation.explain_connection(records, connection)))


def newest_run(otherwise: str) -> str:
    """The folder in out/ that was changed last. Raises UserError, which says what to do ``otherwise``."""
    from pathlib import Path

    folders = [path for path in Path("out").glob("*") if any(path.glob("journal.jsonl")) or any(path.glob("*.ndjson"))]
    runs = sorted(folders, key=lambda path: path.stat().st_mtime)
    if not runs:
        raise UserError(f"no run in out/ here; {otherwise}")
    return str(runs[-1])
