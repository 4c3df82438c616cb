"""``make outcomes``: measure the whole table again. Not collected by itself: its name is no test's."""

from __future__ import annotations

import pytest

from tests.real.outcomes.clients import CLIENTS
from tests.real.outcomes.faults import FAULTS
from tests.real.outcomes.measure import settled
from tests.real.outcomes.table import FILE, load, with_notes, write_table


@pytest.mark.timeout(600)
def test_rewrite() -> None:
    """Every client that is installed here; the rows of the others stay as they are."""
    table = load()
    packages = {client.package for client in CLIENTS.values() if client.missing is None}
    for package in sorted(packages):
        clients = [client for client in CLIENTS.values() if client.package == package]
        measured = settled(clients, {client.name: FAULTS for client in clients}, table)
        table.versions |= measured.versions
        table.cells |= measured.cells
    table.cells = {name: table.cells[name] for name in CLIENTS if name in table.cells}
    table.versions = {name: table.versions[name] for name in table.cells}
    FILE.write_text(write_table(with_notes(table)), encoding="utf-8")
