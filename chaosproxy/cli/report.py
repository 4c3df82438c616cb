"""``chaosproxy report`` and ``chaosproxy compare``: a finished run to look at, and two of them side by side."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from chaosproxy.cli.judge import JOURNAL, JournalFile, pieces_of, read_run
from chaosproxy.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from chaosproxy.journal.records import Run
    from chaosproxy.steady_state.cohorts import ControlCohort

RunFolder = Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or its report.json.")]


def report(
    journal: JournalFile,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Default: report.html beside the journal.")
    ] = None,
    beside: Annotated[
        str | None, typer.Option("--compare", metavar="RUN", help="Show the differences to this run, too.")
    ] = None,
) -> None:
    """Write the report of a finished run, or of any journal, as one HTML file that needs no network.

    The verdict is that of the report.json beside the journal; differences are to the newest run of that name beside
    it that held, unless --compare names another. A journal may be larger than the memory.

    Example: chaosproxy report out/first-drill-.../journal.jsonl -o report.html
    """
    import gc
    from pathlib import Path

    gc.set_threshold(200_000, 50, 50)  # a million records come and go, and none of them is part of a cycle
    path = _journal_file(Path(journal))
    page = _page(path, None if beside is None else Path(beside))
    target = path.parent / "report.html" if output is None else Path(output)
    try:
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{target}: {(error.strerror or str(error)).lower()}") from None
    typer.echo(str(target))


def _journal_file(path: Path) -> Path:
    return path / JOURNAL if path.is_dir() else path


def _page(path: Path, beside: Path | None) -> str:
    from chaosproxy.report.comparison import compare
    from chaosproxy.report.source import (
        Beside,
        last_counterpart,
        last_held,
        page_of_file,
        page_of_journal,
        read_verdict,
        verdict_beside,
    )

    other = None if beside is None else read_verdict(beside)
    if pieces_of(path):
        return page_of_journal(read_run(str(path)), Beside())  # the runner was killed before it could judge
    verdict = verdict_beside(path)
    if verdict is None:
        return page_of_file(path, Beside())
    found = Beside(
        verdict=verdict,
        comparison=last_held(path.parent, verdict) if other is None else compare(other, verdict),
        pair=last_counterpart(path.parent, verdict),
        control=lambda run: None if verdict.control is None else _control(run, path.parent),
    )
    return page_of_file(path, found)


def _control(run: Run, folder: Path) -> ControlCohort | None:
    """Who belongs to it stands in the experiment file; None, and a word about it, when that is not there any more."""
    from chaosproxy.cli.finished_run import experiment_of, file_of
    from chaosproxy.errors import ChaosError

    try:
        return experiment_of(run, *file_of(run, None, folder)).claims().control
    except ChaosError as error:
        sys.stderr.write(f"the control cohort is not shown apart: {error}\n")
        return None


def compare(
    before: RunFolder,
    after: RunFolder,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the differences as JSON.")] = False,
) -> None:
    """Say what changed from one run of an experiment to another.

    Exit codes: 0 no regression, 1 a regression, 3 a run is inconclusive. A regression is an expectation that
    held and deviates now, or an answer that is wrong and passed off as whole where there was none before.

    Example: chaosproxy compare out/first-drill-A out/first-drill-B
    """
    from pathlib import Path

    from chaosproxy.cli.terminal import reader_may_leave
    from chaosproxy.report.comparison import compare as compared
    from chaosproxy.report.differences import differences, differences_json
    from chaosproxy.report.source import read_verdict

    former, latter = read_verdict(Path(before)), read_verdict(Path(after))
    if former.name != latter.name:
        raise UserError(f"two experiments cannot be compared: {former.name} in {before}, {latter.name} in {after}")
    found = compared(former, latter)
    with reader_may_leave():
        sys.stdout.write(differences_json(found) if json else f"{differences(found)}\n")
    sys.exit(found.exit_code)
