"""A verdict as JUnit XML: one test case per expectation and one per fault, for pipelines that know nothing else.

The dialect is that of Jenkins' schema: ``failure`` deviated, ``error`` ours, and inconclusive is an ``error`` too,
because a pipeline that skips it would pass what nobody knows.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from chaosproxy.report.visible import visible_verdict
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.observation import State


def junit_xml(verdict: Verdict) -> str:
    """The document, with declaration and a final newline."""
    verdict = visible_verdict(verdict)
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
    for kind in ("failure", "error"):
        suite.set(f"{kind}s", str(len(suite.findall(f"./testcase/{kind}"))))
    suite.set("tests", str(len(suite.findall("./testcase"))))
    ET.SubElement(suite, "system-out").text = verdict.replay or ""
    ET.indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(suite, encoding="unicode")}\n'


def _sentences(verdict: Verdict, about: str) -> str:
    return "\n".join(finding.sentence for finding in verdict.findings if about in finding.about)
