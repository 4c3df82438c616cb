"""Several runs in one go: how many held, how far their numbers lie apart, and what is flaky.

Runs of one file with the same swept values are a cell; a cell passes by itself, so that no file hides behind others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from pydantic import ConfigDict, Field

from chaosproxy.descriptions import Described
from chaosproxy.steady_state.findings import Judged, Verdict
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.verdict import ABORTED, ERROR, INTERRUPTED, TERMINATED

WORST_FIRST = (ERROR, INTERRUPTED, TERMINATED, ABORTED, 1, 3, 0)
"""Exit codes, the one first that wins."""
BROKEN = (ERROR, INTERRUPTED, TERMINATED)
"""Ends that no pass rate excuses."""


class _Model(Described):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SeriesRun(_Model):
    """One run."""

    run_id: str
    directory: str
    """Its own folder, with report and journal."""
    seed: int
    verdict: State
    exit_code: int
    headline: str
    replay: str | None


class Spread(_Model):
    """One expectation in one window, over the runs of a cell. Values are in base units, None when none is known."""

    id: str
    text: str
    window: str
    cohort: str | None
    held: int
    deviated: int
    inconclusive: int
    least: float | None
    median: float | None
    greatest: float | None
    known: int
    """How many runs have a value."""

    @property
    def flaky(self) -> bool:
        """Whether it held in some runs and deviated in others."""
        return self.held > 0 and self.deviated > 0


class Cell(_Model):
    """The runs of one file with the same ``settings`` (swept values by their paths)."""

    file: str
    name: str
    settings: dict[str, str]
    runs: tuple[SeriesRun, ...]
    planned: int
    held: int
    passed: bool
    """Whether all its runs took place, enough of them held and none broke."""
    expectations: tuple[Spread, ...]
    flaky: tuple[str, ...]
    """Ids of expectations that held in some runs and deviated in others."""


class Series(_Model):
    """Everything: the schema of ``summary.json``."""

    exit_code: int
    held: int
    runs: int
    """How many were started."""
    planned: int
    min_pass_rate: float | None = Field(ge=0, le=1)
    """Of each cell, 0..1; None: every run must hold."""
    cells: tuple[Cell, ...]


def cell_of(
    about: tuple[str, str, dict[str, str]],
    done: Sequence[tuple[str, Verdict]],
    *,
    planned: int,
    min_pass_rate: float | None,
) -> Cell:
    """The cell of finished runs: of each the folder and the verdict. ``about``: file, name and swept values."""
    file, name, settings = about
    verdicts = [verdict for _, verdict in done]
    held = sum(verdict.exit_code == 0 for verdict in verdicts)
    whole = len(done) == planned and not any(verdict.exit_code in BROKEN for verdict in verdicts)
    spreads = tuple(_spreads(verdicts))
    return Cell(
        file=file,
        name=name,
        settings=settings,
        runs=tuple(_run(directory, verdict) for directory, verdict in done),
        planned=planned,
        held=held,
        passed=whole and _enough(held, planned, min_pass_rate),
        expectations=spreads,
        flaky=tuple(dict.fromkeys(spread.id for spread in spreads if spread.flaky)),
    )


def series_of(cells: Sequence[Cell], min_pass_rate: float | None, broken_off: int = 0) -> Series:
    """All cells and the exit code; ``broken_off`` is that of an end from outside, 0 for none."""
    runs = [run for cell in cells for run in cell.runs]
    return Series(
        exit_code=_exit_code(cells, broken_off),
        held=sum(cell.held for cell in cells),
        runs=len(runs),
        planned=sum(cell.planned for cell in cells),
        min_pass_rate=min_pass_rate,
        cells=tuple(cells),
    )


def _exit_code(cells: Iterable[Cell], broken_off: int) -> int:
    """The worst of the runs whose cells do not pass; never 0 when some did not take place, whatever the reason."""
    cells = list(cells)
    codes = {broken_off, *(run.exit_code for cell in cells if not cell.passed for run in cell.runs)}
    if not broken_off and any(len(cell.runs) < cell.planned for cell in cells):
        codes.add(ERROR)
    return next(code for code in WORST_FIRST if code in codes)


def _enough(held: int, runs: int, min_pass_rate: float | None) -> bool:
    return held >= runs * (1.0 if min_pass_rate is None else min_pass_rate) - 1e-9


def _run(directory: str, verdict: Verdict) -> SeriesRun:
    return SeriesRun(
        run_id=verdict.run_id or "",
        directory=directory,
        seed=verdict.seed or 0,
        verdict=verdict.verdict,
        exit_code=verdict.exit_code,
        headline=verdict.headline,
        replay=verdict.replay,
    )


def _spreads(verdicts: Iterable[Verdict]) -> Iterable[Spread]:
    rows: dict[tuple[str, str, str | None], list[Judged]] = {}
    for verdict in verdicts:
        for row in verdict.expectations:
            rows.setdefault((row.id, row.window, row.cohort), []).append(row)
    return map(_spread, rows.values())


def _spread(rows: Sequence[Judged]) -> Spread:
    values = sorted(row.value for row in rows if row.value is not None)
    states = [row.state for row in rows]
    return Spread(
        id=rows[0].id,
        text=rows[0].text,
        window=rows[0].window,
        cohort=rows[0].cohort,
        held=states.count(State.HELD),
        deviated=states.count(State.DEVIATED),
        inconclusive=states.count(State.INCONCLUSIVE),
        least=values[0] if values else None,
        median=median(values) if values else None,
        greatest=values[-1] if values else None,
        known=len(values),
    )
