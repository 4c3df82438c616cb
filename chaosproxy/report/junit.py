"""A verdict as JUnit XML: one test case per expectation and one per fault, for pipelines that know nothing else.

The dialect is that of Jenkins' schema: ``failure`` deviated, ``error`` ours, and inconclusive is an ``error`` too,
because a pipeline that skips it would pass what nobody knows.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from chaosproxy.errors import printable
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.series import Series


def junit_xml(verdict: Verdict) -> str:
    """The document, with declaration and a final newline."""
    suite = ET.Element("testsuite", name=f"chaosproxy.{verdict.name}")
    for row in verdict.expectations:
        case = ET.SubElement(suite, "testcase", classname=verdict.name, name=f"{row.text} [{row.window}]")
        about = f"observed {row.observed} over {row.samples} samples"
        if row.state is State.DEVIATED:
            ET.SubElement(case, "failure", message=about).text = _sentences(verdict, row.id)
        elif row.state is State.INCONCLUSIVE:
            ET.SubElement(case, "error", message=row.why or about).text = _sentences(verdict, row.id)
    for account in verdict.faults:
        case = ET.SubElement(suite, "testcase", classname=verdict.name, name=f"fault {account.id} met its traffic")
        if not account.enough:
            ET.SubElement(case, "error", message=account.why or f"{account.hits} hits, {account.min_hits} needed")
    run = ET.SubElement(suite, "testcase", classname=verdict.name, name="run")
    if verdict.exit_code not in (0, 1):
        ET.SubElement(run, "error", message=verdict.headline)
    _count(suite)
    ET.SubElement(suite, "system-out").text = verdict.replay or ""
    return _document(suite)


def series_xml(series: Series) -> str:
    """Several runs as one document: a suite per cell, in it a case per run and one per expectation.

    It agrees with the exit code: in a cell that passes nothing is red, whatever single runs of it did.
    """
    suites = ET.Element("testsuites", name="chaosproxy")
    for cell in series.cells:
        about = " ".join([cell.name, *(f"{path}={value}" for path, value in cell.settings.items())])
        suite = ET.SubElement(suites, "testsuite", name=f"chaosproxy.{about}")
        for number, run in enumerate(cell.runs, start=1):
            case = ET.SubElement(suite, "testcase", classname=about, name=f"run {number}, seed {run.seed}")
            if not cell.passed and run.exit_code:
                ET.SubElement(case, "failure" if run.exit_code == 1 else "error", message=run.headline)
            ET.SubElement(case, "system-out").text = f"{run.headline}\n{run.directory}\n{run.replay or ''}"
        if missing := cell.planned - len(cell.runs):
            case = ET.SubElement(suite, "testcase", classname=about, name="all runs took place")
            ET.SubElement(case, "error", message=f"{missing} of {cell.planned} runs were not started")
        for spread in cell.expectations:
            case = ET.SubElement(suite, "testcase", classname=about, name=f"{spread.text} [{spread.window}]")
            if not cell.passed and (spread.deviated or spread.inconclusive):
                words = f"held {spread.held}, deviated {spread.deviated}, inconclusive {spread.inconclusive}"
                ET.SubElement(case, "failure" if spread.deviated else "error", message=words)
        _count(suite)
    return _document(suites)


def _count(suite: ET.Element) -> None:
    for kind in ("failure", "error"):
        suite.set(f"{kind}s", str(len(suite.findall(f"./testcase/{kind}"))))
    suite.set("tests", str(len(suite.findall("./testcase"))))


def _document(root: ET.Element) -> str:
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{printable(ET.tostring(root, encoding="unicode"))}\n'


def _sentences(verdict: Verdict, about: str) -> str:
    return "\n".join(finding.sentence for finding in verdict.findings if about in finding.about)
