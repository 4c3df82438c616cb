"""Several runs in one go: files, repeats and swept values, one after the other, with one summary."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from chaosproxy.cli.live import watching
from chaosproxy.cli.results import Results
from chaosproxy.cli.run import another, prepare
from chaosproxy.cli.terminal import reader_may_leave
from chaosproxy.errors import BadValue, InvalidExperiment, Problem, UserError
from chaosproxy.experiment.sweep import FLAG, grid, parse_sweep
from chaosproxy.report.console import QuietConsole
from chaosproxy.report.files import write_summary
from chaosproxy.report.series import print_series, run_line, series_markdown
from chaosproxy.runner.order import Order, Stop
from chaosproxy.runner.run import run_experiment
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.series import Series, cell_of, series_of
from chaosproxy.steady_state.verdict import INTERRUPTED, TERMINATED, report_json
from chaosproxy.units import parse_share

SEEDS = 2**63
"""A derived seed begins again at 0 after the largest one that a file may have."""
_SIGNALS: dict[signal.Signals, tuple[Literal["interrupted", "terminated"], int]] = {
    signal.SIGINT: ("interrupted", INTERRUPTED),
    signal.SIGTERM: ("terminated", TERMINATED),
}


@dataclass(frozen=True, slots=True)
class Given:
    """What was asked for, as it was written. ``seed`` is that of the first of ``repeat`` runs, ``attach`` the keys of
    ``topology.attach``.
    """

    files: tuple[str, ...]
    overrides: dict[str, str]
    seed: int | None
    repeat: int
    min_pass_rate: str | None
    sweeps: tuple[str, ...]
    attach: dict[str, str] | None = None

    def settings(self) -> list[dict[str, str]]:
        """The swept values of each cell. Raises UserError."""
        try:
            cells = grid([parse_sweep(text) for text in self.sweeps])
        except BadValue as error:
            raise UserError(f"{FLAG}: {error}") from None
        if "seed" in cells[0]:
            raise UserError(f"{FLAG} seed: the values of a sweep share their seeds; --repeat runs each with several")
        for name in self.overrides:
            if f"vars.{name}" in cells[0]:
                raise UserError(f"-D {name} would hide {FLAG} vars.{name}; leave one of them out")
        return cells

    def rate(self) -> float | None:
        """The share that is enough, 0..1. Raises UserError."""
        if self.min_pass_rate is None:
            return None
        try:
            rate = parse_share(self.min_pass_rate)
        except BadValue as error:
            raise UserError(f"--min-pass-rate: {error}") from None
        if not rate:
            raise UserError("--min-pass-rate: 0% would pass whatever happens; expected more")
        return rate


def cells_of(given: Given, plugins: tuple[str, ...]) -> list[Order]:
    """One order per file and combination of swept values, the file's mistakes and the flags' all at once.

    Runs of one number have one seed in all cells of a file, so that cells differ by their values alone.
    Raises UserError, InvalidExperiment.
    """
    settings, _ = given.settings(), given.rate()
    problems: list[Problem] = []
    orders: list[Order] = []
    for file in given.files:
        seed = given.seed
        for values in settings:
            try:
                orders.append(prepare(file, given.overrides, seed, plugins, values, given.attach))
            except InvalidExperiment as error:
                problems += error.problems
            else:
                seed = orders[-1].seed
    if problems:
        raise InvalidExperiment(list(dict.fromkeys(problems)))
    return orders


def run_series(given: Given, cells: Sequence[Order], results: Results, *, json: bool) -> int:
    """Run each cell as often as asked for, print and write the summary; the exit code of all."""
    series = asyncio.run(_Series(given, cells, results, quiet=json).run())
    return series.exit_code


@dataclass(slots=True)
class _Series:
    """The runs while they go on. Ctrl-C and SIGTERM heal the current one and start no other."""

    given: Given
    orders: Sequence[Order]
    results: Results
    quiet: bool
    ended_by: int = 0
    stop: Stop | None = None
    done: dict[int, list[tuple[str, Verdict]]] = field(default_factory=dict)

    async def run(self) -> Series:
        """Everything, from the first run to the summary; a mistake in between is summarised, then raised."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, partial(self._end, number))
        folder = _folder(self.orders[0])
        try:
            await self._run_all()
        finally:
            series = self._summary()
            write_summary(series, folder)
            self.results.summarize(series_markdown(series))
            self._print(series, folder)
        return series

    async def _run_all(self) -> None:
        for turn in range(self.given.repeat):
            for index, order in enumerate(self.orders):
                if self.ended_by:
                    return
                await self._run_one(index, _own_folder(another(order, (order.seed + turn) % SEEDS)))

    async def _run_one(self, index: int, order: Order) -> None:
        self.stop = Stop()
        with watching(order, quiet=self.quiet) as on_record:
            finished = await run_experiment(order, on_record=on_record, stop=self.stop)
        self.stop = None
        self.results.write(finished, order)
        self.done.setdefault(index, []).append((str(order.directory), finished.verdict))
        if not self.quiet:
            with reader_may_leave():
                print(run_line(self._count(), self._planned(), finished.verdict, order))  # noqa: T201

    def _end(self, number: signal.Signals) -> None:
        how, code = _SIGNALS[number]
        self.ended_by = self.ended_by or code
        if self.stop is not None:
            self.stop.ask(how)

    def _count(self) -> int:
        return sum(map(len, self.done.values()))

    def _planned(self) -> int:
        return len(self.orders) * self.given.repeat

    def _summary(self) -> Series:
        rate, times = self.given.rate(), self.given.repeat
        return series_of(
            [
                cell_of(
                    (order.file, order.experiment.name, order.settings),
                    self.done.get(index, []),
                    planned=times,
                    min_pass_rate=rate,
                )
                for index, order in enumerate(self.orders)
            ],
            rate,
            self.ended_by,
        )

    def _print(self, series: Series, folder: Path) -> None:
        with reader_may_leave():
            if self.quiet:
                sys.stdout.write(report_json(series))
            else:
                print_series(series, str(folder), QuietConsole(highlight=False))


def _folder(order: Order) -> Path:
    """Where the summary goes: beside the runs of the first file."""
    started = datetime.now(UTC)  # noqa: TID251 - a date for people, in a folder's name
    return order.directory.parent / f"series-{started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _own_folder(order: Order) -> Order:
    """A file whose ``report.dir`` is always the same one gets a folder inside for each run."""
    if "${run.id}" in order.experiment.report.dir:
        return order
    return replace(order, directory=order.directory / order.run_id)
