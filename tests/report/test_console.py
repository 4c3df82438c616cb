"""The verdict on a terminal or in a log."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from chaosproxy.journal.records import Probed
from chaosproxy.report.console import QuietConsole, print_verdict
from chaosproxy.steady_state.claims import PlannedProbe
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import CUT, ORIGIN, Drill, cut_edge


@pytest.fixture
def drill() -> Drill:
    """A minute of good calls, and a fault that cut one stream."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.traffic(0, 60)
    drill.expect("silent_truncated == 0")
    drill.expect("ttft.mean <= 1s", over="steady, cut")
    return drill


def _judged(drill: Drill) -> Verdict:
    return judge(drill.journal(), drill.claims)


def _printed(verdict: Verdict, directory: Path = Path("out/run")) -> str:
    out = io.StringIO()
    print_verdict(verdict, directory, QuietConsole(file=out, highlight=False))
    return out.getvalue()


def _deceived(drill: Drill) -> Drill:
    drill.exchange("lied", "primary", 12.5, hit="cut", sent=cut_edge(ORIGIN + 12.5))
    drill.call("lied", 12.5, CUT)
    return drill


class TestVerdictText:
    """What a person reads."""

    def test_the_verdict_comes_first(self, drill: Drill) -> None:
        """The first word is the verdict, and the same line says why."""
        text = _printed(_judged(_deceived(drill)))

        assert text.startswith("DEVIATED  drill: 1 call got a cut answer that was passed off as whole")

    def test_a_sentence_stands_there_once(self, drill: Drill) -> None:
        """The headline is not repeated among the findings."""
        text = _printed(_judged(_deceived(drill)))

        assert text.count("passed off as whole") == 1

    def test_expectations_have_value_margin_samples_and_window(self, drill: Drill) -> None:
        """One row per window, in the units of the measure."""
        text = _printed(_judged(drill))

        (row,) = (line for line in text.splitlines() if "steady" in line)
        assert row.split() == ["held", "ttft.mean", "<=", "1s", "200ms", "+800ms", "10", "steady", "0s..10s"]

    def test_faults_have_planned_and_real_times_and_hits(self, drill: Drill) -> None:
        """Planned and real times stand side by side."""
        text = _printed(_judged(_deceived(drill)))

        assert "cut     stream.truncate   primary   10s..20s   10s..20s      1" in text

    def test_a_fault_without_hits_is_inconclusive(self, drill: Drill) -> None:
        """It is said in words, not only in the exit code."""
        text = _printed(_judged(drill))

        assert text.startswith("INCONCLUSIVE  drill: fault 'cut' (stream.truncate) made 0 of at least 1 hits")

    def test_text_of_strangers_steers_no_terminal(self, drill: Drill) -> None:
        """Escape codes are shown, in the headline, the findings and the tables."""
        verdict, evil = _judged(drill), "\x1b[2J\x1b]0;owned\x07\u202e"
        findings = tuple(
            finding.model_copy(update={"sentence": evil + finding.sentence}) for finding in verdict.findings
        )
        rows = tuple(row.model_copy(update={"observed": evil}) for row in verdict.expectations)
        texts = {"headline": evil, "findings": findings, "expectations": rows, "replay": evil}

        text = _printed(verdict.model_copy(update=texts))

        assert not {"\x1b", "\x07", "\u202e"} & set(text)
        assert text.count("\\x1b[2J\\x1b]0;owned\\u202e") >= 4  # rich takes the bell out itself

    def test_how_to_run_it_again(self, drill: Drill, tmp_path: Path) -> None:
        """The replay line is printed whole, however narrow the output is, and so is what there is to look at."""
        for name in ("journal.jsonl", "report.html"):
            (tmp_path / name).touch()

        text = _printed(_judged(drill), tmp_path)

        assert "again with: chaosproxy run drill.yaml --seed 7" in text
        assert f"report.html and journal.jsonl in {tmp_path}" in text

    def test_an_interrupted_run_says_so(self, drill: Drill) -> None:
        """The word is about the run when the run did not get to its end."""
        drill.ended = "interrupted"

        assert _printed(_judged(drill)).startswith("INTERRUPTED")


def test_probes_have_a_row_each(drill: Drill) -> None:
    """Runs, the share of those that could look, the last value, and in words what went wrong."""
    drill.claims = replace(drill.claims, probes=(PlannedProbe("health", "http"), PlannedProbe("slo", "prometheus")))
    for at in range(4):
        drill.records.append(Probed(probe="health", at=ORIGIN + at, outcome="ok", value=5123.4))
    drill.records.append(Probed(probe="health", at=ORIGIN + 4.25, outcome="failed", detail="status 503"))
    drill.records.append(Probed(probe="slo", at=ORIGIN, outcome="unknown", detail="connection refused"))

    rows = [" ".join(line.split()) for line in _printed(_judged(drill)).splitlines()]

    assert "probe kind runs ok last value first failure" in rows
    assert "health http 5 80% 5123 at 4.2s: status 503" in rows
    assert "slo prometheus 1 unknown 1 could not look: connection refused" in rows
