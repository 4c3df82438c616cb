"""Several runs for a person: a line for each, the spread of every expectation, and one table of a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from chaosproxy.errors import printable
from chaosproxy.report.console import ENDS, STYLES, plain, word
from chaosproxy.runner.order import Order
from chaosproxy.steady_state.expression import parse_expression
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.series import Cell, Series, Spread
from chaosproxy.steady_state.vocabulary import MEASURES, display
from chaosproxy.units import format_share


def print_series(series: Series, folder: str, console: Console) -> None:
    """Print it; plain text where the output is no terminal."""
    report = rendered(series)
    if console.is_terminal:
        console.print(report)
    else:
        console.print(plain(report), soft_wrap=True)
    console.print(Text(f"summary.json and junit.xml in {folder}"), soft_wrap=True)


def series_markdown(series: Series) -> str:
    """The same for a pull request, as a block of its own."""
    text = printable(str(plain(rendered(series)))).strip("\n").replace("```", "...")
    return f"```text\n{text}\n```\n"


def run_line(number: int, planned: int, verdict: Verdict, order: Order) -> str:
    """One finished run."""
    settings = "".join(f" {path}={value}" for path, value in order.settings.items())
    about = f"run {number} of {planned}: {verdict.name}{settings}, seed {verdict.seed}"
    return f"{about}\n  {word(verdict)}: {verdict.headline}\n  {order.directory}"


def rendered(series: Series) -> RenderableType:
    """The one line that counts, then the tables."""
    parts: list[RenderableType] = [Text(), _first_line(series)]
    if any(cell.settings for cell in series.cells):
        parts += [Text(), *(_sweep(cells) for cells in _by_file(series))]
    if any(len(cell.runs) > 1 for cell in series.cells):
        for cell in filter(lambda cell: cell.runs, series.cells):
            parts += [Text(), *_cell(cell)]
    elif not any(cell.settings for cell in series.cells):
        parts += [Text(), _files(series.cells)]
    return Group(*parts, Text())


def _first_line(series: Series) -> Text:
    line = Text(
        "PASSED" if series.exit_code == 0 else "NOT PASSED", "bold green" if not series.exit_code else "bold red"
    )
    line.append(f": held {series.held} of {series.runs} runs")
    if series.runs < series.planned:
        line.append(f", {series.planned - series.runs} of {series.planned} were not started")
    if series.min_pass_rate is not None:
        line.append(f"; {format_share(series.min_pass_rate)} of each experiment's are needed")
    if flaky := [f"{name} ({_about(cell)})" for cell in series.cells for name in cell.flaky]:
        line.append(f"; flaky: {', '.join(flaky)}")
    return line


def _about(cell: Cell) -> str:
    """Which cell it is."""
    return ", ".join([cell.name, *(f"{path}={value}" for path, value in cell.settings.items())])


def _cell(cell: Cell) -> Iterator[RenderableType]:
    line = Text(_about(cell), "bold")
    yield line.append(f": held {cell.held} of {len(cell.runs)}", "not bold")
    table = _table("", "expected", "held", "least", "median", "greatest", "window")
    for spread in cell.expectations:
        state = Text("flaky", "bold yellow") if spread.flaky else _state(spread)
        held = f"{spread.held} of {spread.held + spread.deviated + spread.inconclusive}"
        window = f"{spread.window} ({spread.cohort})" if spread.cohort else spread.window
        table.add_row(state, spread.text, held, *(_value(spread, v) for v in _three(spread)), window)
    yield table


def _sweep(cells: Sequence[Cell]) -> Table:
    """Values x verdict x expectations, of one file."""
    rows = {(spread.id, spread.window, spread.cohort): spread for cell in cells for spread in cell.expectations}
    several = {key[0] for key in rows if sum(other[0] == key[0] for other in rows) > 1}
    headings = [f"{spread.id} [{spread.window}]" if spread.id in several else spread.id for spread in rows.values()]
    table = _table(*cells[0].settings, "verdict", *headings)
    for cell in cells:
        spreads = {(spread.id, spread.window, spread.cohort): spread for spread in cell.expectations}
        table.add_row(*cell.settings.values(), _verdict(cell), *(_observed(spreads.get(key)) for key in rows))
    return table


def _files(cells: Sequence[Cell]) -> Table:
    table = _table("", "experiment", "seed", "report")
    for cell in cells:
        for run in cell.runs:
            table.add_row(_verdict(cell), cell.name, str(run.seed), run.directory)
    return table


def _verdict(cell: Cell) -> Text:
    """The word of a single run, the count of several."""
    if len(cell.runs) == 1:
        run = cell.runs[0]
        style = "bold red" if run.exit_code in ENDS else STYLES[run.verdict]
        return Text(ENDS.get(run.exit_code, run.verdict.value).lower(), style)
    if not cell.runs:
        return Text("not started", "dim")
    return Text(f"held {cell.held} of {len(cell.runs)}", "bold green" if cell.passed else "bold red")


def _observed(spread: Spread | None) -> Text:
    """The median, marked where not every run held."""
    if spread is None:
        return Text("-", "dim")
    marks = "".join((" x" if spread.deviated else "", " ?" if spread.inconclusive else ""))
    return Text(f"{_value(spread, spread.median)}{marks}", "red" if spread.deviated else "yellow" if marks else "")


def _state(spread: Spread) -> Text:
    state = State.DEVIATED if spread.deviated else State.INCONCLUSIVE if spread.inconclusive else State.HELD
    return Text(state.value, STYLES[state])


def _three(spread: Spread) -> tuple[float | None, float | None, float | None]:
    return spread.least, spread.median, spread.greatest


def _value(spread: Spread, value: float | None) -> str:
    if value is None:
        return "unknown"
    expression = parse_expression(spread.text)
    return display(value, MEASURES[expression.measure].unit_of(expression.aggregate))


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for heading in headings:
        right = heading in ("held", "least", "median", "greatest", "seed")
        table.add_column(heading, justify="right" if right else "left", no_wrap=True)
    return table


def _by_file(series: Series) -> Iterator[list[Cell]]:
    for file in dict.fromkeys(cell.file for cell in series.cells):
        yield [cell for cell in series.cells if cell.file == file]
