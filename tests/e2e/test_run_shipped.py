"""The experiments that ship with the product end as their comments say."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from chaosproxy.journal.traffic import Call, FaultHit
from chaosproxy.steady_state.observation import State
from tests.e2e.drill import Ended, chaosproxy, repeat_inconclusive

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PROGRAMS = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
"""Where a run looks for the programs that it starts."""
DEFECTS = {
    "no_usage_check": ("silent_corrupt", "changed the text of primary's answer, and nobody compared the text with its"),
    "invented_stop": ("silent_truncated", "the gateway sent its client a regular end (finish_reason 'stop')"),
    "retry_after_content": ("duplicated", "after content of primary had reached the client (a retry after content)"),
    "no_fallback": ("fallback", "although secondary was healthy and was never asked (no fallback)"),
    "no_first_token_deadline": ("deadline", "and the gateway set no deadline for the first token"),
    "ignored_retry_after": ("retry_after_ignored", "with Retry-After 1 s, and the gateway did not wait for it"),
}
"""Each with the one expectation that it breaks, and the words that name it."""


def shipped(folder: Path, name: str, *words: str) -> Ended:
    """Run an experiment by its name, from an empty folder."""
    return repeat_inconclusive(lambda: chaosproxy("run", name, *words, cwd=folder))


def deviations(ended: Ended) -> dict[str, str]:
    """Ids of the expectations that deviated, each with all that is said about it."""
    report = ended.report
    return {
        row.id: " ".join(finding.sentence for finding in report.findings if row.id in finding.about)
        for row in report.expectations
        if row.state is State.DEVIATED
    }


class TestSixDefects:
    """Judging tells a good gateway from six that differ from it in one behaviour each."""

    def test_the_resilient_gateway_passes(self, tmp_path: Path) -> None:
        """Every expectation holds, and every fault met its traffic."""
        ended = shipped(tmp_path, "six-defects")

        assert (ended.code, deviations(ended)) == (0, {})
        assert all(fault.hits >= 2 for fault in ended.report.faults)

    @pytest.mark.parametrize("defect", DEFECTS)
    def test_a_defect_breaks_its_own_expectation_and_is_named(self, tmp_path: Path, defect: str) -> None:
        """Exit code 1, exactly one expectation, and a sentence about what the gateway did wrong."""
        expectation, words = DEFECTS[defect]

        ended = shipped(tmp_path, "six-defects", "-D", f"defect={defect}")

        told = deviations(ended)
        assert (ended.code, list(told)) == (1, [expectation])
        assert words in told[expectation]
        assert words in " ".join(ended.out.split())


class TestLostEvents:
    """One event in seven is lost in every fifth stream."""

    def test_it_holds_only_because_the_answers_were_flagged(self, tmp_path: Path) -> None:
        """The resilient gateway compares usage counts, and the verdict says that it rests on that alone."""
        ended = shipped(tmp_path, "lost-events")

        report = ended.report
        assert ended.code == 0
        assert report.outcomes["error"] == report.faults[0].hits >= 5
        assert "silent_corrupt held only because" in report.headline
        assert "got flagged as failed (an error event)" in report.headline

    def test_the_corrupt_calls_are_named(self, tmp_path: Path) -> None:
        """Exactly the calls that the fault hit, with the fault and with what nobody did about it."""
        ended = shipped(tmp_path, "lost-events", "-D", "profile=naive")

        (finding,) = (found for found in ended.report.findings if found.kind == "deviated")
        assert ended.code == 1
        assert set(finding.calls) == {hit.call for hit in ended.all(FaultHit)}
        assert "sse.drop (fault 'lost') changed the text of primary's answer" in finding.sentence
        assert f"({finding.calls[0]}, " in finding.sentence
        assert finding.sentence in ended.report.headline


def test_a_fault_that_met_nobody_proves_nothing(tmp_path: Path) -> None:
    """Every expectation holds, and the run is inconclusive all the same."""
    ended = shipped(tmp_path, "nobody-hit")

    assert ended.code == 3
    assert {row.state for row in ended.report.expectations} == {State.HELD}
    assert ended.report.headline == ("fault 'cut' (stream.truncate) made 0 of at least 1 hits: no request reached it")
    assert "INCONCLUSIVE" in ended.out


@pytest.mark.real
@pytest.mark.skipif(shutil.which("fakeai", path=PROGRAMS) is None, reason="the fakeai server is not installed")
class TestFakeai:
    """A server that nobody here wrote, with an answer that nobody can foresee."""

    def test_all_calls_succeed_without_faults(self, tmp_path: Path) -> None:
        """Twenty calls, ten of them streamed, over five models: each is whole."""
        ended = shipped(tmp_path, "real/fakeai")

        calls = ended.all(Call)
        assert ended.code == 0, ended.out
        assert ended.report.outcomes == {"ok": 20}
        assert sum(call.stream for call in calls) == 10
        assert {call.model for call in calls} == {
            "gpt-4",
            "gpt-4-turbo",
            "gpt-3.5-turbo",
            "claude-3-opus",
            "claude-3-sonnet",
        }

    def test_a_cut_stream_counts_as_failed(self, tmp_path: Path) -> None:
        """What fakeai sent is the measure: each stream that was cut is a truncated one, and no other call failed."""
        ended = shipped(tmp_path, "real/fakeai", "-D", "cut=100%")

        hits = len(ended.all(FaultHit))
        assert ended.code == 1, ended.out
        assert hits == 5
        assert ended.report.outcomes == {"ok": 20 - hits, "silent_truncated": hits}
        assert "stream.truncate (fault 'cut') ended fakeai's stream early" in ended.report.headline
