"""The files that a run leaves beside its journal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from chaosproxy.errors import UserError
from chaosproxy.journal.reading import Journal
from chaosproxy.report.junit import junit_xml, series_xml
from chaosproxy.report.markdown import markdown
from chaosproxy.steady_state.cohorts import ControlCohort
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.series import Series
from chaosproxy.steady_state.verdict import report_json, verdict_json

_WRITERS = {
    "json": ("report.json", verdict_json),
    "junit": ("junit.xml", junit_xml),
    "markdown": ("report.md", markdown),
}


def write_reports(verdict: Verdict, directory: Path, formats: Iterable[str]) -> None:
    """Write report.json, junit.xml and report.md, as the experiment's ``report.formats`` says."""
    for name in formats:
        if name in _WRITERS:
            file, render = _WRITERS[name]
            (directory / file).write_text(render(verdict), encoding="utf-8")


def write_summary(series: Series, directory: Path) -> None:
    """Write summary.json and junit.xml of all runs. Raises UserError."""
    try:
        directory.mkdir(parents=True)
        (directory / "summary.json").write_text(report_json(series), encoding="utf-8")
        (directory / "junit.xml").write_text(series_xml(series), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{directory}: {(error.strerror or str(error)).lower()}") from None


def write_page(
    verdict: Verdict, journal: Journal, directory: Path, *, compare_to: str, control: ControlCohort | None = None
) -> Path:
    """Write report.html, which shows what happened. ``control``: the calls that no fault was for."""
    from chaosproxy.report.source import Beside, last_counterpart, last_held, page_of_journal  # noqa: PLC0415 - jinja2

    beside = Beside(
        verdict=verdict,
        comparison=last_held(directory, verdict) if compare_to == "last-held" else None,
        pair=last_counterpart(directory, verdict),
        control=lambda _: control,
    )
    path = directory / "report.html"
    path.write_text(page_of_journal(journal, beside), encoding="utf-8")
    return path


def append(markdown: str, path: Path) -> None:
    """Add to a file, which may hold what is said of other runs. Raises UserError."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{markdown}\n")
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from None
