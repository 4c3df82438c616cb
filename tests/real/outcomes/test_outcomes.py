"""What each client does under each fault is what the table says: nobody finds out by surprise that an SDK changed.

Cells are measured in one go for each package, when the first of their tests runs; with xdist by one worker, for all.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.real.outcomes.clients import CLIENTS, Client
from tests.real.outcomes.faults import FAULTS
from tests.real.outcomes.measure import settled
from tests.real.outcomes.table import NOT_HIT, Table, load, read_table, write_table

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

TABLE = load()
REPAIR = "if that is how it shall be: make outcomes, and commit the table"


@dataclass(frozen=True)
class Selected:
    """The cells whose tests run in this session, by client, and where its workers share what they measure."""

    lines: dict[str, list[str]]
    folder: Path

    def table(self, package: str) -> Table:
        """Measure it, or wait for the worker that does."""
        file = self.folder / f"outcomes-{package}.json"
        with file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.exists():
                clients = [each for each in CLIENTS.values() if each.package == package and each.name in self.lines]
                file.write_text(write_table(settled(clients, self.lines, TABLE)), encoding="utf-8")
        return read_table(json.loads(file.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Client], Table]:
    """The outcomes of all clients of a package."""
    lines: dict[str, list[str]] = defaultdict(list)
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.originalname == test_outcome.__name__:
            lines[str(item.callspec.params["name"])].append(str(item.callspec.params["line"]))
    folder = tmp_path_factory.getbasetemp()
    selected = Selected(dict(lines), folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)
    tables = cache(selected.table)
    return lambda client: tables(client.package)


@pytest.mark.parametrize("line", FAULTS)
@pytest.mark.parametrize("name", CLIENTS)
def test_outcome(name: str, line: str, measured: Callable[[Client], Table]) -> None:
    """Error class, lost text, requests and fallback; and a server that breaks by itself leads to the same."""
    client = CLIENTS[name]
    if client.missing is not None:
        pytest.skip(client.missing)
    expected = TABLE.cells.get(name, {}).get(line)
    assert expected is not None, f"{name} has no outcome under {line!r} in the table yet: make outcomes"

    table = measured(client)
    cell = table.cells[name][line]
    versions = f"the table was measured with {TABLE.versions[name]}, this run with {table.versions[name]}; {REPAIR}"
    assert cell.outcome.to_the_client == expected.outcome.to_the_client, versions
    assert cell.raw == expected.raw, f"the server without a proxy: {versions}"


def test_every_row_hits_somebody() -> None:
    """A line that no client's answer has a place for shows nothing."""
    missed = [line for line in FAULTS if all(cells[line].outcome.saw == NOT_HIT for cells in TABLE.cells.values())]

    assert missed == []


def test_the_table_has_nothing_else() -> None:
    """Rows of clients and faults that are gone are gone, too."""
    assert set(TABLE.cells) <= set(CLIENTS)
    assert {line for cells in TABLE.cells.values() for line in cells} <= set(FAULTS)
