"""Several runs for a person and for a pipeline."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from chaosproxy.report.console import QuietConsole
from chaosproxy.report.junit import series_xml
from chaosproxy.report.series import print_series
from chaosproxy.steady_state.findings import Health, Judged, Verdict
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.series import Cell, cell_of, series_of


def verdict(held: bool, value: float, code: int | None = None) -> Verdict:
    """Of a run with one expectation."""
    state = State.HELD if held else State.DEVIATED
    row = Judged(id="ok", text="success >= 80%", window="all", state=state, observed="", value=value, bound=0.8)
    return Verdict(
        verdict=state,
        exit_code=(0 if held else 1) if code is None else code,
        headline="because",
        ended="completed",
        name="drill",
        question="",
        seed=3,
        expectations=(row,),
        health=Health(lag_bound_s=0.25),
    )


def cell(*verdicts: Verdict, rate: float | None = None, planned: int = 0, **settings: str) -> Cell:
    """A cell of these."""
    done = [(f"out/{number}", each) for number, each in enumerate(verdicts)]
    return cell_of(("f", "drill", settings), done, planned=planned or len(done), min_pass_rate=rate)


def printed(*cells: Cell, rate: float | None = None) -> str:
    """The text in a pipe."""
    console = QuietConsole(highlight=False)
    with console.capture() as text:
        print_series(series_of(cells, rate), "out/series-1", console)
    return text.get()


class TestConsole:
    """What is read."""

    def test_held_k_of_n_with_the_spread(self) -> None:
        """And what is flaky is named."""
        text = printed(cell(verdict(True, 0.9), verdict(False, 0.5), verdict(True, 1.0)))

        assert "NOT PASSED: held 2 of 3 runs; flaky: ok (drill)" in text
        (row,) = (line.split() for line in text.splitlines() if "success" in line)
        assert row == ["flaky", "success", ">=", "80%", "2", "of", "3", "50%", "90%", "100%", "all"]

    def test_a_sweep_is_one_table(self) -> None:
        """Values x verdict x expectations; what did not hold is marked."""
        text = printed(cell(verdict(True, 0.9), lasts="1s", rps="5"), cell(verdict(False, 0.5), lasts="5s", rps="5"))

        rows = [line.split() for line in text.splitlines() if line.endswith(("ok", "90%", "x"))]
        assert rows == [
            ["lasts", "rps", "verdict", "ok"],
            ["1s", "5", "held", "90%"],
            ["5s", "5", "deviated", "50%", "x"],
        ]

    def test_what_was_not_started_is_said(self) -> None:
        """In numbers."""
        text = printed(cell(verdict(True, 0.9), planned=3), cell(planned=3))

        assert "held 1 of 1 runs, 5 of 6 were not started" in text

    def test_the_rate(self) -> None:
        """As it was asked for."""
        text = printed(cell(verdict(True, 0.9), verdict(False, 0.5), rate=0.5), rate=0.5)

        assert text.strip().startswith("PASSED: held 1 of 2 runs; 50% of each experiment's are needed; flaky: ok")

    @pytest.mark.parametrize(("code", "word"), [(4, "aborted"), (5, "error"), (130, "interrupted")])
    def test_a_run_that_broke(self, code: int, word: str) -> None:
        """It is called what it was."""
        assert f" {word} " in printed(cell(verdict(False, 0.5, code), lasts="1s"))


class TestJUnit:
    """It says what the exit code says."""

    def red(self, *cells: Cell) -> list[tuple[str, str]]:
        """What is red, and how."""
        root = ET.fromstring(series_xml(series_of(cells, None)))  # noqa: S314 - we wrote it ourselves
        for suite in root:
            counted = [suite.get("tests"), suite.get("failures"), suite.get("errors")]
            assert counted == [str(len(suite.findall(path))) for path in ("testcase", "*/failure", "*/error")]
        return [
            (case.get("name") or "", part.tag) for case in root.iter("testcase") for part in case if part.tag[0] != "s"
        ]

    def test_all_held(self) -> None:
        """Nothing is red."""
        assert self.red(cell(verdict(True, 0.9), verdict(True, 0.9))) == []

    def test_what_deviated(self) -> None:
        """The run and the expectation."""
        assert self.red(cell(verdict(True, 0.9), verdict(False, 0.5))) == [
            ("run 2, seed 3", "failure"),
            ("success >= 80% [all]", "failure"),
        ]

    def test_a_cell_that_passes_is_green(self) -> None:
        """Whatever single runs of it did."""
        assert self.red(cell(verdict(True, 0.9), verdict(False, 0.5), rate=0.5)) == []

    def test_runs_that_did_not_take_place(self) -> None:
        """A pipeline that reads this file alone sees them."""
        assert self.red(cell(verdict(True, 0.9), planned=2), cell(planned=2)) == [
            ("all runs took place", "error"),
            ("all runs took place", "error"),
        ]

    def test_what_broke_is_an_error(self) -> None:
        """Not a failure of the system under test."""
        assert ("run 1, seed 3", "error") in self.red(cell(verdict(False, 0.5, 5), rate=0.1))
