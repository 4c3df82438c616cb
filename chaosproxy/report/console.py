"""A verdict for a person: first the word, then why, then the numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chaosproxy.report.printable import SafeConsole
from chaosproxy.steady_state.expression import parse_expression
from chaosproxy.steady_state.findings import (
    BackendCost,
    FaultAccount,
    Finding,
    HookAccount,
    Judged,
    ProbeAccount,
    Verdict,
)
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.vocabulary import MEASURES, Unit, display
from chaosproxy.units import format_duration

WIDTH_WITHOUT_TERMINAL = 120
"""Columns of the text in a pipe or a log."""
STYLES = {State.HELD: "bold green", State.DEVIATED: "bold red", State.INCONCLUSIVE: "bold yellow"}
ENDS = {4: "ABORTED", 5: "ERROR", 130: "INTERRUPTED", 143: "TERMINATED"}
"""What an exit code is called that is not one of a verdict."""
_SIGNS = {"error": ("!", "red"), "deviated": ("x", "red"), "inconclusive": ("?", "yellow"), "note": ("-", "dim")}


def print_verdict(verdict: Verdict, directory: Path, console: Console | None = None) -> None:
    """Print it; plain text where the output is no terminal."""
    console = console or QuietConsole(highlight=False)
    if console.is_terminal:
        console.print(rendered(verdict))
    else:
        console.print(plain(rendered(verdict)), soft_wrap=True)
    for line in _last_lines(verdict, directory):
        console.print(Text(line), soft_wrap=True)


class QuietConsole(SafeConsole):
    """Leaves it to the caller what a reader that left means; rich would exit with 1, which is our word for deviated."""

    def on_broken_pipe(self) -> None:
        """Raise it."""
        raise BrokenPipeError


def plain(report: RenderableType) -> Text:
    """For pipes and logs: wide, and without the blanks with which rich fills its lines."""
    paper = Console(width=WIDTH_WITHOUT_TERMINAL, file=io.StringIO(), highlight=False, color_system=None)
    with paper.capture() as written:
        paper.print(report)
    return Text("\n".join(line.rstrip() for line in written.get().splitlines()))


def rendered(verdict: Verdict) -> RenderableType:
    """Word, reasons and tables."""
    others = [finding for finding in verdict.findings if finding.sentence not in verdict.headline]
    if (
        not verdict.calls and not verdict.exchanges
    ):  # it broke off before there was anything to see: its tables would say nothing
        errors = (finding for finding in others if finding.kind == "error")
        return Group(_first_line(verdict), *map(_finding, errors), Text())
    parts: list[RenderableType] = [_first_line(verdict), *map(_finding, others)]
    if verdict.expectations:
        parts += [Text(), _expectations(verdict)]
    if verdict.faults:
        parts += [Text(), _faults(verdict.faults)]
    if verdict.probes:
        parts += [Text(), _probes(verdict.probes)]
    if verdict.hooks:
        parts += [Text(), _hooks(verdict.hooks)]
    if verdict.watches_cost:
        parts += [Text(), _costs(verdict.cost)]
    return Group(*parts, Text())


def word(verdict: Verdict) -> str:
    """What the exit code stands for, in one word."""
    return ENDS.get(verdict.exit_code, verdict.verdict.value.upper())


def _first_line(verdict: Verdict) -> Text:
    line = Text()
    line.append(word(verdict), STYLES[verdict.verdict] if verdict.exit_code in (0, 1, 3) else "bold red")
    line.append(f"  {verdict.name}", "bold")
    return line.append(f": {verdict.headline}")


def _finding(finding: Finding) -> RenderableType:
    sign, style = _SIGNS[finding.kind]
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text(sign, style), Text(finding.sentence))
    return Padding(grid, (0, 0, 0, 2))


def _expectations(verdict: Verdict) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    control = () if verdict.control is None else ("control",)
    for heading in ("", "expected", "observed", *control, "margin", "samples", "window"):
        justify: JustifyMethod = "right" if heading in ("observed", "control", "margin", "samples") else "left"
        table.add_column(heading, justify=justify, no_wrap=heading != "window")
    for row in verdict.expectations:
        cohort = f" ({row.cohort})" if row.cohort else ""
        table.add_row(
            Text(row.state.value, STYLES[row.state]),
            row.text,
            row.observed,
            *(row.control or "" for _ in control),
            margin_words(row),
            str(row.samples) if row.samples else "",
            f"{row.window}{_span(row.from_s, row.to_s)}{cohort}",
        )
    return table


def _faults(accounts: tuple[FaultAccount, ...]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("fault", "type", "target", "planned", "real", "hits"):
        table.add_column(heading, justify="right" if heading == "hits" else "left", no_wrap=True)
    for account in accounts:
        table.add_row(
            account.id,
            account.type,
            ", ".join(account.targets),
            planned_words(account),
            _between(account.applied_at_s, account.healed_at_s),
            Text(str(account.hits), "" if account.enough else "yellow"),
        )
    return table


def _probes(accounts: tuple[ProbeAccount, ...]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("probe", "kind", "runs", "ok", "last value", "first failure"):
        justify: JustifyMethod = "right" if heading in ("runs", "ok", "last value") else "left"
        table.add_column(heading, justify=justify, no_wrap=heading != "first failure")
    for account in accounts:
        share = "unknown" if account.share_ok is None else display(account.share_ok, Unit.SHARE)
        table.add_row(
            account.id,
            account.kind,
            str(account.runs),
            Text(share, "" if account.share_ok == 1 else "yellow"),
            "" if account.last_value is None else display(account.last_value, Unit.NUMBER),
            Text("; ".join(_seen(account))),
        )
    return table


def _seen(account: ProbeAccount) -> Iterator[str]:
    if account.first_failure:
        yield account.first_failure
    if account.blind:
        yield f"{account.blind} could not look: {account.blind_why}"


def _hooks(accounts: tuple[HookAccount, ...]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("hook", "done", "undone", "failed"):
        table.add_column(heading, no_wrap=heading != "failed")
    for account in accounts:
        done, undone = ("never" if at_s is None else _clock(at_s) for at_s in (account.done_at_s, account.undone_at_s))
        table.add_row(account.id, done, undone, Text(account.failed, "red"))
    return table


def _costs(costs: tuple[BackendCost, ...]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("backend", "requests", "tokens in", "tokens out", "cost", ""):
        table.add_column(heading, justify="left" if heading in ("backend", "") else "right", no_wrap=heading != "")
    for cost in costs:
        money = "unknown" if cost.money is None else f"{'> ' if cost.unpriced else ''}{cost.money:.4g}"
        estimated = f"tokens of {cost.estimated} requests are estimated" if cost.estimated else ""
        unpriced = f"no price for {', '.join(cost.unpriced)}" if cost.unpriced else ""
        row = (cost.requests, cost.tokens_in, cost.tokens_out)
        table.add_row(cost.backend, *map(str, row), money, "; ".join(filter(None, (estimated, unpriced))))
    return table


def _last_lines(verdict: Verdict, directory: Path) -> list[str]:
    outcomes = ", ".join(f"{count} {name}" for name, count in verdict.outcomes.items())
    lines = [f"{verdict.calls} calls ({outcomes or 'none'}), {verdict.exchanges} upstream requests"]
    if verdict.control is not None:
        spared = ", ".join(f"{count} {name}" for name, count in verdict.control.outcomes.items())
        lines.append(f"{verdict.control.calls} calls of the control cohort ({spared or 'none'})")
    if verdict.replay:
        lines.append(f"seed {verdict.seed}, again with: {verdict.replay}")
    lines.append(f"{' and '.join(_files(directory))} in {directory}")
    return lines


def _files(directory: Path) -> list[str]:
    """What a person may want to open, as far as it is there: the picture first."""
    names = ("report.html", "report.json", "report.md", "junit.xml", "journal.jsonl")
    there = [name for name in names if (directory / name).exists()]
    return [", ".join(there[:-1]), there[-1]] if len(there) > 1 else there or ["nothing"]


def margin_words(row: Judged) -> str:
    """How far on the good (+) or bad (-) side of the bound, in the unit of the measure."""
    if row.margin is None:
        return ""
    sign = "-" if row.margin < 0 else "+"
    expression = parse_expression(row.text)
    match MEASURES[expression.measure].unit_of(expression.aggregate):
        case Unit.SHARE:
            return f"{sign}{abs(row.margin) * 100:.3g}%"
        case Unit.SECONDS:
            return f"{sign}{format_duration(float(f'{abs(row.margin):.3g}'))}"
    return f"{sign}{abs(row.margin):.3g}" if row.margin else "0"


def planned_words(account: FaultAccount) -> str:
    """``6s..14s``; for a fault that waits for another one its length is all that is planned."""
    lasts_s = account.planned_lasts_s
    if account.planned_at_s is not None:
        return _between(account.planned_at_s, None if lasts_s is None else account.planned_at_s + lasts_s)
    return "after another" if lasts_s is None else f"for {_clock(lasts_s)}"


def _between(start_s: float | None, end_s: float | None) -> str:
    if start_s is None:
        return "never" if end_s is None else f"until {_clock(end_s)}"
    return f"{_clock(start_s)}..{'?' if end_s is None else _clock(end_s)}"


def _span(from_s: float | None, to_s: float | None) -> str:
    return "" if from_s is None or to_s is None else f" {_clock(from_s)}..{_clock(to_s)}"


def _clock(seconds: float) -> str:
    """To a tenth: the exact times stand in report.json."""
    return f"-{format_duration(-round(seconds, 1))}" if seconds < 0 else format_duration(round(seconds, 1))
