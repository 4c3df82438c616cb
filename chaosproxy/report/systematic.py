"""What ``chaosproxy enumerate`` prints: each finding as it comes, and the coverage table."""

from __future__ import annotations

from collections.abc import Sequence

from chaosproxy.faults import describe
from chaosproxy.faults.base import Fault
from chaosproxy.search.effect import Slot
from chaosproxy.search.observation import Setting
from chaosproxy.search.promise import Broken
from chaosproxy.search.systematic import Attempt, Coverage, Injections


def heading(target: str, setting: Setting, faults: Sequence[Fault], max_faults: int, *, virtual: bool) -> str:
    """What is about to be done."""
    clock = "virtual time" if virtual else "real time (it is not async, so its waits are real)"
    return f"enumerate {target}: {clock}, {setting.dialect}, {len(faults)} faults, up to {max_faults} at once"


def in_words(injections: Injections, faults: Sequence[Fault]) -> str:
    """``http.status at primary#1, stream.truncate at primary#2``."""
    return ", ".join(f"{name_of(faults[number], faults)} at {slot}" for slot, number in injections)


def finding(attempt: Attempt, broken: Broken, faults: Sequence[Fault], path: str) -> str:
    """The first plan that breaks the promise in this way."""
    plan = in_words(attempt.injections, faults)
    return f"FOUND {broken.flaw}: {plan}: the call {broken.words}\n  replay: chaosproxy replay {path}"


def table(coverage: Coverage) -> str:
    """A row per fault, a column per exchange: how the target fared when that was the last fault of a plan."""
    slots = list(coverage.slots)
    faults = range(len(coverage.faults))
    rows = [("fault", *map(str, slots))]
    cells = _cells(coverage)
    rows += [(name_of(coverage.faults[n], coverage.faults), *(_cell(cells, slot, n) for slot in slots)) for n in faults]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, "", *_LEGEND])


_LEGEND = (
    "survived: the promise was kept whenever this was the last fault; (n): in so many plans; not met: it had no effect",
    "as above: after another fault it was not tried, because it had the same effect as one that stands above it",
)


def summary(coverage: Coverage, took_s: float) -> str:
    """How much was tried, and what that saved."""
    found = sum(1 for _ in coverage.broken())
    words = "no finding" if not found else f"{found} finding{'' if found == 1 else 's'}"
    pairs = sum(attempt.met for attempt in coverage.attempts)
    share = coverage.runs / coverage.brute_runs
    return (
        f"{words}: {coverage.runs} runs in {took_s:.1f} s, in {pairs} of which the last fault took effect;"
        f" all sets of up to {coverage.max_faults} faults on {len(coverage.slots)} exchanges are"
        f" {coverage.brute_runs} ({share:.1%})"
    )


def name_of(fault: Fault, faults: Sequence[Fault]) -> str:
    """Its type; with its settings where another one has the same type."""
    if sum(other.type == fault.type for other in faults) == 1:
        return fault.type
    settings = (f"{key}={value}" for key, value in describe(fault).items() if key != "type")
    return " ".join([fault.type, *settings])


def _cells(coverage: Coverage) -> dict[tuple[Slot, int], list[Attempt]]:
    cells: dict[tuple[Slot, int], list[Attempt]] = {}
    for attempt in coverage.attempts:
        slot, fault = attempt.injections[-1]
        cells.setdefault((slot, fault), []).append(attempt)
    return cells


def _cell(cells: dict[tuple[Slot, int], list[Attempt]], slot: Slot, fault: int) -> str:
    attempts = cells.get((slot, fault))
    if attempts is None:
        return "as above"
    flaws = dict.fromkeys(str(attempt.broken.flaw) for attempt in attempts if attempt.broken is not None)
    if flaws:
        return ", ".join(flaws)
    if not any(attempt.met for attempt in attempts):
        return "not met"
    return "survived" if len(attempts) == 1 else f"survived ({len(attempts)})"
