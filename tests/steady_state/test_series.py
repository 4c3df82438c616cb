"""Several runs: what they are together."""

from __future__ import annotations

import math

import pytest

from chaosproxy.steady_state.findings import Health, Judged, Verdict
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.series import Cell, Series, cell_of, series_of
from chaosproxy.steady_state.verdict import report_json

STATES = {0: State.HELD, 1: State.DEVIATED}


def verdict(code: int, value: float | None = 0.9, *, state: State | None = None) -> Verdict:
    """Of a run with one expectation."""
    state = state or STATES.get(code, State.INCONCLUSIVE)
    row = Judged(id="ok", text="success >= 80%", window="all", state=state, observed=str(value), value=value, bound=0.8)
    return Verdict(
        verdict=state,
        exit_code=code,
        headline="because",
        ended="completed",
        name="drill",
        question="",
        seed=3,
        expectations=(row,),
        health=Health(lag_bound_s=0.25),
    )


def cell(*codes: int, rate: float | None = None, planned: int | None = None) -> Cell:
    """A cell of runs with these exit codes."""
    done = [(f"out/{number}", verdict(code)) for number, code in enumerate(codes)]
    return cell_of(("f", "drill", {}), done, planned=planned or len(done), min_pass_rate=rate)


def exit_code(*cells: Cell, broken_off: int = 0) -> int:
    """Of all."""
    return series_of(cells, None, broken_off).exit_code


class TestExitCode:
    """Never a false pass, and the worst one wins."""

    @pytest.mark.parametrize(
        ("codes", "expected"),
        [
            ([0, 0, 0], 0),
            ([0, 3, 0], 3),
            ([3, 1, 0], 1),
            ([1, 4, 3], 4),
            ([4, 130, 1], 130),
            ([143, 4], 143),
            ([0, 130, 5], 5),
        ],
    )
    def test_without_a_rate_the_worst_run_counts(self, codes: list[int], expected: int) -> None:
        """5, 130, 4, 1, 3, 0."""
        assert exit_code(cell(*codes)) == expected

    @pytest.mark.parametrize(
        ("codes", "rate", "expected"),
        [
            ([0, 0, 0, 1], 0.75, 0),
            ([0, 0, 0, 3], 0.75, 0),
            ([0, 0, 0, 4], 0.75, 0),
            ([0, 0, 1, 3], 0.75, 1),
            ([0, 0, 3, 3], 0.75, 3),
            ([0, 0, 0, 5], 0.75, 5),
            ([0, 0, 0, 130], 0.75, 130),
            ([0, 0, 1], 2 / 3, 0),
            ([0] * 7 + [1] * 3, 0.7, 0),
            ([0] * 6 + [1] * 4, 0.7, 1),
            ([1], 1.0, 1),
        ],
    )
    def test_a_rate_excuses_what_deviated_and_nothing_that_broke(
        self, codes: list[int], rate: float, expected: int
    ) -> None:
        """Held k of N with k / N >= P is enough, but not beside an error."""
        assert exit_code(cell(*codes, rate=rate)) == expected

    def test_no_file_hides_behind_others(self) -> None:
        """Nine of ten runs held, and the tenth is all that there is of its file."""
        assert exit_code(cell(*[0] * 9, rate=0.9), cell(1, rate=0.9)) == 1

    def test_runs_that_were_never_started_held_nothing(self) -> None:
        """An end between two runs is an end."""
        cut_short = cell(0, planned=3)

        assert not cut_short.passed
        assert exit_code(cut_short, broken_off=130) == 130
        assert exit_code(cell(0, 5, planned=3), broken_off=130) == 5
        assert exit_code(cut_short) == 5, "a mistake in between: summary.json must not say 0"
        assert exit_code(cell(0), cell(1, 0, planned=3)) == 5


class TestSpread:
    """Of the observed values."""

    def spread(self, *verdicts: Verdict) -> Cell:
        """A cell of these."""
        done = [("out", each) for each in verdicts]
        return cell_of(("f", "drill", {}), done, planned=len(done), min_pass_rate=None)

    def test_least_median_greatest(self) -> None:
        """Of the runs that have a value."""
        found = self.spread(verdict(0, 0.9), verdict(0, 1.0), verdict(3, None), verdict(1, 0.5)).expectations[0]

        assert (found.least, found.median, found.greatest, found.known) == (0.5, 0.9, 1.0, 3)
        assert (found.held, found.deviated, found.inconclusive) == (2, 1, 1)

    def test_nothing_known(self) -> None:
        """No number is made up."""
        found = self.spread(verdict(3, None)).expectations[0]

        assert (found.least, found.median, found.greatest, found.known) == (None, None, None, 0)

    def test_a_time_without_end_is_the_greatest(self) -> None:
        """And null in JSON, as in a report."""
        cells = [self.spread(verdict(1, math.inf), verdict(0, 2.0))]

        assert cells[0].expectations[0].greatest == math.inf
        read = Series.model_validate_json(report_json(series_of(cells, None)))
        assert read.cells[0].expectations[0].greatest is None

    def test_flaky_is_held_and_deviated(self) -> None:
        """What could not be known is no sign of it."""
        assert self.spread(verdict(0), verdict(1), verdict(3)).flaky == ("ok",)
        assert self.spread(verdict(0), verdict(3)).flaky == ()
        assert self.spread(verdict(1), verdict(1)).flaky == ()
