"""What a page knows beside its journal: other runs of the experiment, and whom no fault was for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from chaosproxy.plan.rule import Match
from chaosproxy.report.source import Beside, last_counterpart, last_held, page_of_journal
from chaosproxy.steady_state.cohorts import ControlCohort
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.verdict import judge, verdict_json
from tests.steady_state.drills import CUT, ORIGIN, Drill, cut_edge


def _drill(*, fails: bool = False) -> Drill:
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.exchange("hit", "primary", 12.5, hit="cut", sent=cut_edge(ORIGIN + 12.5))
    drill.call("hit", 12.5, CUT if fails else "x", error="event")
    drill.traffic(0, 30)
    drill.expect("success >= 99%")
    drill.expect("ttft.p50 <= 2s")
    return drill


def _verdict(drill: Drill, **changes: Any) -> Verdict:
    return _like(judge(drill.journal(), drill.claims), **changes)


def _like(verdict: Verdict, /, **changes: Any) -> Verdict:
    return Verdict.model_validate({**verdict.model_dump(), **changes})


def _leave(folder: Path, verdict: Verdict) -> None:
    folder.mkdir()
    (folder / "report.json").write_text(verdict_json(verdict), encoding="utf-8")


def test_only_a_run_on_other_backends_is_a_counterpart(tmp_path: Path) -> None:
    """One of its own kind is none, nor one of which nobody knows."""
    mine = _verdict(_drill(fails=True), run_id="mine", answered_by="mock")
    (tmp_path / "mine").mkdir()
    _leave(tmp_path / "same", _like(mine, run_id="same"))
    _leave(tmp_path / "old", _like(mine, run_id="old", answered_by=None))
    _leave(tmp_path / "foreign", _like(mine, run_id="foreign", answered_by="live", name="x"))

    assert last_counterpart(tmp_path / "mine", mine) is None

    _leave(tmp_path / "real", _like(mine, run_id="real", answered_by="live"))
    pair = last_counterpart(tmp_path / "mine", mine)

    assert pair is not None
    assert (pair.mock, pair.live) == ("mine", "real")
    assert {row.agree for row in pair.rows} == {True}


def test_the_counterpart_with_the_same_variables_is_preferred(tmp_path: Path) -> None:
    """Else a naive gateway on mocks would stand beside a resilient one that is live."""
    again = "chaosproxy run drill.yaml --seed 7 -D profile="
    mine = _verdict(_drill(), run_id="mine", answered_by="live", replay=f"{again}naive --attach http://localhost:1")
    (tmp_path / "mine").mkdir()
    _leave(tmp_path / "like", _like(mine, run_id="like", answered_by="mock", replay=f"{again}naive"))
    _leave(tmp_path / "newer", _like(mine, run_id="newer", answered_by="mock", replay=f"{again}resilient"))
    os.utime(tmp_path / "like" / "report.json", (1, 1))

    pair = last_counterpart(tmp_path / "mine", mine)

    assert pair is not None
    assert (pair.mock, pair.mock_with, pair.live_with) == ("like", "profile=naive", "profile=naive")


def test_what_one_of_the_two_does_not_know_is_no_difference(tmp_path: Path) -> None:
    """Inconclusive is neither."""
    mine = _verdict(_drill(), run_id="mine", answered_by="live")
    (tmp_path / "mine").mkdir()
    rows = [{**row.model_dump(), "state": "inconclusive"} for row in mine.expectations]
    lab = _like(mine, run_id="lab", answered_by="mock", verdict="inconclusive", expectations=tuple(rows))
    _leave(tmp_path / "lab", lab)

    pair = last_counterpart(tmp_path / "mine", mine)

    assert pair is not None
    assert {row.agree for row in pair.rows} == {None}


def test_an_old_report_has_no_counterpart(tmp_path: Path) -> None:
    """It does not know its own kind."""
    (tmp_path / "mine").mkdir()
    _leave(tmp_path / "real", _verdict(_drill(fails=True), run_id="real", answered_by="live"))

    assert last_counterpart(tmp_path / "mine", _verdict(_drill(fails=True), run_id="mine", answered_by=None)) is None


def test_where_mocks_and_live_backends_differ_the_page_says_so(tmp_path: Path) -> None:
    """Each expectation with what both runs saw."""
    mine = _verdict(_drill(fails=True), run_id="mine", answered_by="live")
    (tmp_path / "mine").mkdir()
    rows = [{**row.model_dump(), "state": "held", "observed": "100%"} for row in mine.expectations[:1]]
    _leave(
        tmp_path / "lab",
        _like(mine, run_id="lab", answered_by="mock", expectations=tuple(rows)),
    )

    pair = last_counterpart(tmp_path / "mine", mine)
    assert pair is not None
    page = page_of_journal(_drill().journal(), Beside(verdict=mine, pair=pair))

    assert (pair.mock, pair.live) == ("lab", "mine")
    success, ttft = pair.rows[1:]
    assert (success.mock, success.live, success.agree) == (
        "held, 100%",
        f"deviated, {mine.expectations[0].observed}",
        False,
    )
    assert (ttft.mock, ttft.agree) == ("-", None)
    assert "On mocks and on live backends" in page
    assert ">differ</strong>" in page


def test_the_last_held_run_is_the_newest_that_held(tmp_path: Path) -> None:
    """Not a newer one that deviated."""
    mine = _verdict(_drill(fails=True), run_id="mine")
    (tmp_path / "mine").mkdir()
    _leave(tmp_path / "deviated", _like(mine, run_id="deviated"))
    assert last_held(tmp_path / "mine", mine) is None

    _leave(tmp_path / "held", _like(mine, run_id="held", verdict="held"))
    found = last_held(tmp_path / "mine", mine)

    assert found is not None
    assert found.before == "held"
    assert f"Compared with {found.before}" in page_of_journal(_drill().journal(), Beside(mine, found))


def test_the_control_cohort_has_columns_of_its_own() -> None:
    """While others were hit, and over the whole run; without them the page says what is missing."""
    drill = _drill()
    verdict = _verdict(drill, control={"calls": 1, "outcomes": {}})
    cohort = ControlCohort(Match(stream=True), {})

    apart = page_of_journal(drill.journal(), Beside(verdict, control=lambda _: cohort))
    together = page_of_journal(drill.journal(), Beside(verdict))

    assert "control cohort, during" in apart
    assert "control cohort, whole run" in apart
    assert "are among these" not in apart
    assert "control cohort, during" not in together
    assert "are among these" in together
