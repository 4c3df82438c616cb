"""Entries: one record as a line and as an object."""

from __future__ import annotations

import json

import pytest

from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import Mark, Opened, Trouble, from_line, to_line


def test_an_object_becomes_a_line() -> None:
    """An entry made of a record gives that very record, and the line that the record has."""
    record = Trouble(at=6.0, part="x", detail="y")
    entry = Entry.of(record)

    assert entry.record is record
    assert entry.line == to_line(record)


def test_values_become_both() -> None:
    """Fields by name are enough; line and object say the same."""
    entry = Entry({"type": "mark", "name": "origin", "at": 2.0})

    assert entry.record == Mark(name="origin", at=2.0) == from_line(entry.line)


def test_each_is_made_once() -> None:
    """Whoever comes later gets what was made before."""
    entry = Entry({"type": "mark", "name": "origin", "at": 2.0})

    assert entry.line is entry.line
    assert entry.record is entry.record


def test_when_it_happened() -> None:
    """Records of one moment tell it; others have none."""
    opened = Opened(process="proxy", host="h", pid=1, mono=5.0, wall=9.0, chaosproxy="0")

    assert Entry({"type": "mark", "name": "origin", "at": 2.0}).at == 2.0
    assert Entry.of(opened).at is None


@pytest.mark.parametrize("detail", ["é", "\u2028", "\x85", "\n", "\U0001f389", "a\x00\x1f\x7f"])
def test_a_line_is_one_line_of_ascii(detail: str) -> None:
    """No reader finds a line end inside, and a torn line never ends inside a character."""
    line = to_line(Trouble(at=6.0, part="x", detail=detail))

    assert line.isascii()
    assert len(line.decode().splitlines()) == 1
    assert from_line(line) == Trouble(at=6.0, part="x", detail=detail)


def test_half_a_character_never_makes_a_line_unreadable() -> None:
    """A lone surrogate, which JSON can escape but no reader takes, is replaced."""
    line = to_line(Trouble(at=6.0, part="x", detail="a\ud800b\u65e5"))

    assert from_line(line) == Trouble(at=6.0, part="x", detail="a?b\u65e5")


def test_whole_numbers_of_any_size() -> None:
    """An upstream may count more tokens than fit into 64 bits."""
    assert json.loads(Entry({"type": "mark", "name": "x", "at": 2**70}).line)["at"] == 2**70
