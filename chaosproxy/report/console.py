"""A verdict for a person: first the word, then why, then the numbers."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chaosproxy.steady_state.findings import FaultAccount, Finding, Judged, Verdict
from chaosproxy.steady_state.observation import State
from chaosproxy.units import format_duration

_STYLES = {State.HELD: "bold green", State.DEVIATED: "bold red", State.INCONCLUSIVE: "bold yellow"}
_SIGNS = {"error": ("!", "red"), "deviated": ("x", "red"), "inconclusive": ("?", "yellow"), "note": ("-", "dim")}


def print_verdict(verdict: Verdict, directory: Path, console: Console | None = None) -> None:
    """Print it; plain text where the output is no terminal."""
    console = console or Console(highlight=False, soft_wrap=False)
    console.print(rendered(verdict, directory))


def rendered(verdict: Verdict, directory: Path) -> RenderableType:
    """The whole report as one thing to print."""
    parts: list[RenderableType] = [_first_line(verdict), *map(_finding, verdict.findings)]
    if verdict.expectations:
        parts += [Text(), _expectations(verdict.expectations)]
    if verdict.faults:
        parts += [Text(), _faults(verdict.faults)]
    return Group(*parts, Text(), *_last_lines(verdict, directory))


def word(verdict: Verdict) -> str:
    """What the exit code stands for, in one word."""
    names = {4: "ABORTED", 5: "ERROR", 130: "INTERRUPTED", 143: "TERMINATED"}
    return names.get(verdict.exit_code, verdict.verdict.value.upper())


def _first_line(verdict: Verdict) -> Text:
    line = Text()
    line.append(word(verdict), _STYLES[verdict.verdict] if verdict.exit_code in (0, 1, 3) else "bold red")
    return line.append(f"  {verdict.name}: {verdict.headline}")


def _finding(finding: Finding) -> RenderableType:
    sign, style = _SIGNS[finding.kind]
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text(sign, style), Text(finding.sentence))
    return Padding(grid, (0, 0, 0, 2))


def _expectations(rows: tuple[Judged, ...]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("", "expected", "observed", "margin", "samples", "window"):
        table.add_column(heading, justify="right" if heading in ("margin", "samples") else "left")
    for row in rows:
        cohort = f" ({row.cohort})" if row.cohort else ""
        table.add_row(
            Text(row.state.value, _STYLES[row.state]),
            row.text,
            row.observed,
            "" if row.margin is None else f"{row.margin:+.3g}",
            str(row.samples) if row.samples else "",
            f"{row.window}{_span(row.from_s, row.to_s)}{cohort}",
        )
    return table


def _faults(accounts: tuple[FaultAccount, ...]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("fault", "type", "target", "planned", "real", "hits"):
        table.add_column(heading, justify="right" if heading == "hits" else "left")
    for account in accounts:
        planned_end = None
        if account.planned_at_s is not None and account.planned_lasts_s is not None:
            planned_end = account.planned_at_s + account.planned_lasts_s
        table.add_row(
            account.id,
            account.type,
            ", ".join(account.targets),
            _between(account.planned_at_s, planned_end),
            _between(account.applied_at_s, account.healed_at_s),
            Text(str(account.hits), "" if account.enough else "yellow"),
        )
    return table


def _last_lines(verdict: Verdict, directory: Path) -> list[Text]:
    outcomes = ", ".join(f"{count} {name}" for name, count in verdict.outcomes.items())
    lines = [f"{verdict.calls} calls ({outcomes or 'none'}), {verdict.exchanges} upstream requests"]
    if verdict.replay:
        lines.append(f"seed {verdict.seed}, again with: {verdict.replay}")
    lines.append(f"report.json, junit.xml and journal.jsonl in {directory}")
    return [Text(line, no_wrap=True, overflow="ignore") for line in lines]


def _between(start_s: float | None, end_s: float | None) -> str:
    if start_s is None:
        return "never" if end_s is None else f"until {_clock(end_s)}"
    return f"{_clock(start_s)}..{'?' if end_s is None else _clock(end_s)}"


def _span(from_s: float | None, to_s: float | None) -> str:
    return "" if from_s is None or to_s is None else f" {_clock(from_s)}..{_clock(to_s)}"


def _clock(seconds: float) -> str:
    return f"-{format_duration(-round(seconds, 2))}" if seconds < 0 else format_duration(round(seconds, 2))
