"""The files that a run leaves beside its journal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from chaosproxy.report.junit import junit_xml
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.verdict import verdict_json

_WRITERS = {"json": ("report.json", verdict_json), "junit": ("junit.xml", junit_xml)}


def write_reports(verdict: Verdict, directory: Path, formats: Iterable[str]) -> None:
    """Write report.json, junit.xml, as the experiment's ``report.formats`` says."""
    for name in formats:
        file, render = _WRITERS[name]
        (directory / file).write_text(render(verdict), encoding="utf-8")
