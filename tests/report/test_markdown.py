"""The verdict for a pull request."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosproxy.errors import UserError
from chaosproxy.report.files import append
from chaosproxy.report.markdown import markdown
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import CUT, ORIGIN, Drill, cut_edge


@pytest.fixture
def verdict() -> Verdict:
    """Of a run in which one call was deceived."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.traffic(0, 60)
    drill.exchange("lied", "primary", 12.5, hit="cut", sent=cut_edge(ORIGIN + 12.5))
    drill.call("lied", 12.5, CUT)
    drill.expect("silent_truncated == 0")
    drill.expect("success >= 90%")
    return judge(drill.journal(), drill.claims)


def test_the_word_and_the_reason_come_first(verdict: Verdict) -> None:
    """A reviewer who reads one line knows."""
    lines = markdown(verdict).splitlines()

    assert lines[0] == "### ❌ DEVIATED: drill"
    assert "passed off as whole" in lines[2]


def test_expectations_faults_and_replay_follow(verdict: Verdict) -> None:
    """With their numbers."""
    text = markdown(verdict)

    assert "| ✅ held | success \\>= 90% | 98.36% | +8.36% | 61 | all |" in text
    assert "| cut | stream.truncate | 10s..20s | 1 |" in text
    assert "Again with: `chaosproxy run drill.yaml --seed 7`" in text


@pytest.mark.parametrize(
    ("account", "shown"),
    [
        ({"enough": False, "load_hits": 0, "why": "no request reached it"}, "1 (too few)"),
        ({"enough": False, "why": "it ended after 2.00s of 10.00s because its lease ran out"}, "1 (not as planned)"),
        ({"enough": True}, "1 |"),
    ],
)
def test_what_is_wrong_with_a_fault(verdict: Verdict, account: dict[str, object], shown: str) -> None:
    """Too few hits is one thing, a fault that was not the planned one is another."""
    fault = verdict.faults[0].model_copy(update={"load_hits": 1, **account})
    text = markdown(verdict.model_copy(update={"faults": (fault,)}))

    assert f"| cut | stream.truncate | 10s..20s | {shown}" in text


def test_text_of_strangers_stays_text(verdict: Verdict) -> None:
    """No tag, no link, no mention, no row of its own, no end of the code span."""
    hostile = "<img src=x onerror=alert(1)> [a](javascript:x) @team #1 | b\n| c `d`"
    text = markdown(verdict.model_copy(update={"headline": hostile, "replay": "a ` b"}))

    assert "\\<img src=x onerror=alert(1)\\> \\[a\\](javascript:x) \\@team \\#1 \\| b \\| c \\`d\\`" in text
    assert "`a ' b`" in text


def test_a_summary_is_added_to_what_is_there(verdict: Verdict, tmp_path: Path) -> None:
    """Several runs of a job share one file."""
    path = tmp_path / "summary.md"
    path.write_text("# Before\n")

    append(markdown(verdict), path)
    append(markdown(verdict), path)

    assert path.read_text().startswith("# Before\n")
    assert path.read_text().count("DEVIATED") == 2


def test_a_summary_that_cannot_be_written_is_said(verdict: Verdict, tmp_path: Path) -> None:
    """In words."""
    with pytest.raises(UserError, match="no such file or directory"):
        append(markdown(verdict), tmp_path / "none" / "summary.md")
