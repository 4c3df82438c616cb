"""The committed table: client -> fault -> outcome, and the versions of the clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.real.outcomes.notes import note
from tests.real.outcomes.seen import Seen
from tests.real.sdk_bench import TEXT

FILE = Path(__file__).with_name("expected.json")
NOT_HIT = "not hit"
"""The fault has nothing to do on this client's answer."""


@dataclass(frozen=True)
class Outcome:
    """``saw``: ok, the class of an error, H, or T, E, C with an s where a normal end was reported (``letter``).

    ``asked`` counts requests at the proxy, ``paid`` those at the upstream, ``backup`` those at the fallback model.
    """

    saw: str
    asked: int = 1
    paid: int = 1
    backup: int = 0

    @property
    def to_the_client(self) -> Outcome:
        """Without what only we know: whoever leaves at the last event may do so before or after we find no place."""
        return replace(self, saw="ok") if self.saw == NOT_HIT else self

    def __str__(self) -> str:
        times = f" x{self.asked}" if self.asked > 1 else ""
        return f"{self.saw}{times}{' ->backup' if self.backup else ''}"


@dataclass(frozen=True)
class Cell:
    """An outcome; ``raw``: what a server that breaks by itself got, where that differs; ``note``: why."""

    outcome: Outcome
    raw: Outcome | None = None
    note: str | None = None

    def agrees(self, other: Cell | None) -> bool:
        """Whether the same was measured."""
        return other is not None and (self.outcome.to_the_client, self.raw) == (other.outcome.to_the_client, other.raw)


Cells = dict[str, Cell]
"""By fault."""


@dataclass
class Table:
    """``versions`` and ``cells`` by the name of the client."""

    versions: dict[str, str] = field(default_factory=dict)
    cells: dict[str, Cells] = field(default_factory=dict)


def letter(seen: Seen) -> str:
    """What an application is left with."""
    if seen.hung:
        return "H"
    if seen.error is not None:
        return seen.error
    if seen.error_event:
        return "error event"
    if seen.text == TEXT:
        return "ok"
    kind = "E" if not seen.text else "T" if TEXT.startswith(seen.text) else "C"
    return kind if seen.finish is None else f"{kind}s"


def load() -> Table:
    """The committed table; empty before the first measurement."""
    return read_table(json.loads(FILE.read_text(encoding="utf-8"))) if FILE.exists() else Table()


def read_table(value: Mapping[str, Any]) -> Table:
    """From JSON."""
    cells = {name: {line: _read(cell) for line, cell in row.items()} for name, row in value["cells"].items()}
    return Table(value["versions"], cells)


def write_table(table: Table) -> str:
    """JSON with one line for each cell, so that a change is one line of a diff."""
    rows = ",\n".join(
        f"    {json.dumps(name)}: {{\n"
        + ",\n".join(f"      {json.dumps(line)}: {json.dumps(_write(cell))}" for line, cell in cells.items())
        + "\n    }"
        for name, cells in table.cells.items()
    )
    versions = json.dumps(table.versions, indent=2).replace("\n", "\n  ")
    return f'{{\n  "versions": {versions},\n  "cells": {{\n{rows}\n  }}\n}}\n'


def with_notes(table: Table) -> Table:
    """With the notes that fit beside the cells."""
    return Table(
        table.versions,
        {
            name: {line: replace(cell, note=note(name, line, cell.outcome.saw)) for line, cell in cells.items()}
            for name, cells in table.cells.items()
        },
    )


def _read(value: Mapping[str, Any]) -> Cell:
    outcome = {key: value[key] for key in ("saw", "asked", "paid", "backup") if key in value}
    raw = Outcome(**value["raw"]) if "raw" in value else None
    return Cell(Outcome(**outcome), raw, value.get("note"))


def _write(cell: Cell) -> dict[str, Any]:
    """What is absent or zero by default is left out."""
    value = _plain(cell.outcome)
    if cell.raw is not None:
        value["raw"] = _plain(cell.raw)
    if cell.note is not None:
        value["note"] = cell.note
    return value


def _plain(outcome: Outcome) -> dict[str, Any]:
    value = asdict(outcome)
    if not outcome.backup:
        del value["backup"]
    return value
