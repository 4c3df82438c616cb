"""docs/reference/clients.md: what each client does under each fault, from the table that the tests compare."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from chaosproxy.faults import fault_class
from chaosproxy.report.catalogue import ROOMS

Cell: TypeAlias = Mapping[str, Any]

FILE = Path(__file__).parents[1] / "tests" / "real" / "outcomes" / "expected.json"
HEALTHY = "none"

HEAD = """\
# What real clients do

Each client asks for one streamed answer of ten words, through this proxy with one fault, from a healthy server: with a
timeout of half a second, its default retries, and an application that reads with care. The table is measured by a test
run and compared by every other one (`make outcomes` measures it again). Where a server can be made to break in the same
way by itself, it is asked without a proxy as well, and leads to the same unless a note says otherwise."""

LEGEND = (
    ("ok", "the whole text, no error"),
    ("**T**", "silent truncation: a part of the text, and no error"),
    ("**E**", "silent empty: no text, and no error"),
    ("**C**", "silent corruption: words missing, repeated or changed, and no error"),
    ("**Ts**, **Es**, **Cs**", "the same, and a normal finish reason was reported: nothing but the text tells"),
    ("**H**", "hang: still waiting when the test cut it off, many timeouts later"),
    ("error event", "the error came as an ordinary event, no exception: who does not look for it gets T or E"),
    ("`Name[status]`", "this exception, with its status where it has one"),
    ("3 asked", "that many requests reached the proxy for one question"),
    ("3 paid", "that many of them were answered, and are paid, by the upstream"),
    ("→ backup", "the fallback model was asked, too"),
    ("not hit", "the fault found nothing to do in this dialect"),
)
SILENT = {f"{letter}{suffix}" for letter in "TEC" for suffix in ("", "s")} | {"H"}


def clients() -> str:
    """The page."""
    value = json.loads(FILE.read_text(encoding="utf-8"))
    cells: dict[str, dict[str, Cell]] = value["cells"]
    notes: list[str] = []
    lines = [HEAD, "", "| | |", "|---|---|", *(f"| {sign} | {meaning} |" for sign, meaning in LEGEND)]
    lines += ["", "| client | measured with |", "|---|---|"]
    lines += [f"| {name} | {value['versions'][name]} |" for name in cells]
    lines += ["", f"| fault | {' | '.join(cells)} |", "|---" * (len(cells) + 1) + "|"]
    for room, rows in groupby(_rows(cells), key=_room):
        if room:
            lines.append(f"| **{room}** |{' |' * len(cells)}")
        for row in rows:
            told = [_cell(column[row], notes) if row in column else "" for column in cells.values()]
            lines.append(f"| {_fault(row)} | {' | '.join(told)} |")
    lines += ["", *(f"[^{number}]: {note}" for number, note in enumerate(notes, 1))]
    return "\n".join(lines)


def behaviour(fault: str, example: str) -> str | None:
    """What the clients do under one fault, those that do the same together; None when no row of the table has it.

    The row is that of the ``example`` (a ``--fault``) where there is one.
    """
    cells: dict[str, dict[str, Cell]] = json.loads(FILE.read_text(encoding="utf-8"))["cells"]
    rows = [row for row in _rows(cells) if row.partition(" ")[0] == fault]
    if not rows:
        return None
    row = example if example in rows else rows[0]
    told: dict[str, list[str]] = {}
    for name, column in cells.items():
        if row in column:
            told.setdefault(_outcome(column[row]), []).append(name)
    further = "" if len(rows) == 1 else f" ({len(rows)} rows of it there)"
    outcomes = "; ".join(f"{saw} ({', '.join(names)})" for saw, names in told.items())
    return f"`{row}`: {outcomes}{further}"


def _rows(cells: Mapping[str, Mapping[str, Cell]]) -> list[str]:
    """Every fault that is in the table, by room; within a room as it stands there."""
    rows = dict.fromkeys(row for column in cells.values() for row in column)
    order = ["", *ROOMS]
    return sorted(rows, key=lambda row: order.index(_room(row)))


def _room(row: str) -> str:
    return "" if row == HEALTHY else fault_class(row.partition(" ")[0]).room.value


def _fault(row: str) -> str:
    name, _, settings = row.partition(" ")
    if row == HEALTHY:
        return name
    return f"[`{name}`](faults.md#{name.replace('.', '')})" + (f" `{settings}`" if settings else "")


def _cell(cell: Cell, notes: list[str]) -> str:
    return _outcome(cell) + "".join(f"[^{_number(note, notes)}]" for note in _notes(cell))


def _outcome(cell: Cell) -> str:
    saw = f"**{cell['saw']}**" if cell["saw"] in SILENT else str(cell["saw"])
    if cell["asked"] > 1:
        saw += f", {cell['asked']} asked"
    if cell["paid"] > 1:
        saw += f", {cell['paid']} paid"
    return f"{saw} → backup" if cell.get("backup") else saw


def _notes(cell: Cell) -> Iterator[str]:
    if "raw" in cell:
        yield f"Without a proxy, from a server that breaks by itself: {_outcome(cell['raw'])}."
    if "note" in cell:
        yield cell["note"]


def _number(note: str, notes: list[str]) -> int:
    """Counted from 1, in the order of the page."""
    if note not in notes:
        notes.append(note)
    return notes.index(note) + 1
