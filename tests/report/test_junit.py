"""The verdict for pipelines."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from chaosproxy.report.files import write_reports
from chaosproxy.report.junit import junit_xml
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import CUT, ORIGIN, Drill, cut_edge


def _suite(drill: Drill) -> ET.Element:
    return ET.fromstring(junit_xml(judge(drill.journal(), drill.claims)))  # noqa: S314 - we wrote it ourselves


def _drill() -> Drill:
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.traffic(0, 60)
    drill.expect("silent_truncated == 0")
    drill.expect("ttft.p99 <= 1s")
    return drill


class TestJUnit:
    """Every way not to pass is visible to a pipeline."""

    def test_a_deviated_expectation_is_a_failure_with_its_sentence(self) -> None:
        """The failure's text names the cause."""
        drill = _drill()
        drill.exchange("lied", "primary", 12.5, hit="cut", sent=cut_edge(ORIGIN + 12.5))
        drill.call("lied", 12.5, CUT)

        failure = _suite(drill).find("./testcase[@name='silent_truncated == 0 [all]']/failure")

        assert failure is not None
        assert "passed off as whole" in (failure.text or "")

    def test_what_could_not_be_known_is_an_error(self) -> None:
        """Too few samples, a fault that met nobody, and the run that is inconclusive for it: none of them passes."""
        suite = _suite(_drill())

        errors = [case.get("name") for case in suite.iter("testcase") if case.find("error") is not None]
        assert errors == ["ttft.p99 <= 1s [all]", "fault cut met its traffic", "run"]

    def test_the_counts_are_those_of_the_cases(self) -> None:
        """Readers that look at the counts alone see the same."""
        suite = _suite(_drill())

        assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "0", "3")

    def test_a_run_that_broke_is_an_error(self) -> None:
        """A crash in front of any expectation fails the pipeline too."""
        drill = _drill()
        drill.ended = "error"

        run = _suite(drill).find("./testcase[@name='run']/error")

        assert run is not None


def test_only_the_formats_that_were_asked_for_are_written(tmp_path: Path) -> None:
    """report.json is the verdict, readable by its own model."""
    drill = _drill()
    verdict = judge(drill.journal(), drill.claims)

    write_reports(verdict, tmp_path, ["json"])

    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert Verdict.model_validate_json((tmp_path / "report.json").read_text()).headline == verdict.headline


def test_text_of_strangers_is_xml_all_the_same() -> None:
    """Control characters, which XML cannot hold, are shown; tags are text."""
    verdict = judge(_drill().journal(), _drill().claims).model_copy(update={"replay": "\x1b[31m</system-out><x>"})

    suite = ET.fromstring(junit_xml(verdict))  # noqa: S314 - we wrote it ourselves

    assert suite.findtext("system-out") == "\\x1b[31m</system-out><x>"
