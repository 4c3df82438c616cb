"""``chaosproxy check`` and ``chaosproxy explain``: what a finished run says, without running it again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from chaosproxy.cli.run import Define, parse_defines, read_text
from chaosproxy.errors import UserError

if TYPE_CHECKING:
    from chaosproxy.journal.reading import Journal

JournalFile = Annotated[str, typer.Argument(metavar="JOURNAL", help="A journal.jsonl of a run.")]


def check(
    journal: JournalFile,
    file: Annotated[str, typer.Argument(help="The experiment file of that run.")],
    define: Define = None,
) -> None:
    """Judge a finished run again and print its report.json; the exit code is the verdict's.

    Variables come from the journal, as they were given to the run; -D overrides them. A file that is not the one of
    the run, byte for byte, is judged by as well, with a warning.

    Example: chaosproxy check out/first-drill-.../journal.jsonl first-drill
    """
    import os
    from hashlib import sha256

    from chaosproxy.cli.terminal import reader_may_leave
    from chaosproxy.experiment.load_file import parse_experiment
    from chaosproxy.journal.records import Run
    from chaosproxy.shipped import find
    from chaosproxy.steady_state.verdict import judge, verdict_json

    read = _read(journal)
    run = next((record for record in read.records if isinstance(record, Run)), None)
    overrides = {**(run.vars if run else {}), **parse_defines(define)}
    path = find(file)
    text = read_text(path)
    if run is not None and run.file_sha256 != sha256(text.encode()).hexdigest():
        sys.stderr.write(f"{path}: not the file of that run ({run.file}), or it was changed since\n")
    experiment = parse_experiment(text, str(path), vars=overrides, env=os.environ)
    verdict = judge(read, experiment.claims())
    with reader_may_leave():
        sys.stdout.write(verdict_json(verdict))
    sys.exit(verdict.exit_code)


def _read(journal: str) -> Journal:
    from pathlib import Path

    from chaosproxy.errors import JournalBroken
    from chaosproxy.journal.reading import read_journal

    path = Path(journal)
    if path.is_dir():
        path /= "journal.jsonl"
    text = read_text(path)
    try:
        return read_journal(text.splitlines())
    except JournalBroken as error:
        raise JournalBroken(f"{path}: {error}") from None


def explain(
    exchange: Annotated[str, typer.Argument(help="An exchange's id, LISTENER#3, #3, or the id of a call.")],
    journal: Annotated[str | None, typer.Option(help="The journal; default: that of the newest run in out/.")] = None,
) -> None:
    """Say why each fault of a run did or did not hit an exchange.

    Example: chaosproxy explain secondary#12
    """
    from chaosproxy.journal import explanation

    records = _read(journal or _newest()).records
    found = explanation.find_exchanges(records, exchange)
    if not found:
        raise UserError(f"no exchange and no call {exchange!r} in this journal")
    for one in found:
        typer.echo("\n".join(explanation.explain(records, one)))


def _newest() -> str:
    from pathlib import Path

    journals = sorted(Path("out").glob("*/journal.jsonl"), key=lambda path: path.stat().st_mtime)
    if not journals:
        raise UserError("no run in out/ here; give a journal: --journal FILE")
    return str(journals[-1])
