"""The files that a run leaves beside its journal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from chaosproxy.errors import UserError
from chaosproxy.report.junit import junit_xml, series_xml
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.series import Series
from chaosproxy.steady_state.verdict import report_json, verdict_json

_WRITERS = {"json": ("report.json", verdict_json), "junit": ("junit.xml", junit_xml)}


def write_reports(verdict: Verdict, directory: Path, formats: Iterable[str]) -> None:
    """Write report.json, junit.xml, as the experiment's ``report.formats`` says."""
    for name in formats:
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
