"""The laws bite: every mutant dies by them alone."""

from __future__ import annotations

from collections import Counter

import pytest

from chaosproxy.faults.base import Room
from chaosproxy.testing import LawBroken
from tests.laws.mutants import MUTANTS, Mutant
from tests.laws.own import check_laws

EXAMPLES = 2000
"""Tries before a mutant counts as a survivor; most die within ten, the toughest in one case of a hundred."""


def test_every_room_has_mutants() -> None:
    """At least five per room, so that no room's laws are decoration."""
    rooms = Counter(mutant.fault.room for mutant in MUTANTS)

    assert all(rooms[room] >= 5 for room in Room)


def test_no_mutant_survives(capsys: pytest.CaptureFixture[str]) -> None:
    """A survivor fails the build; the share that was killed is printed."""
    survivors = [str(mutant) for mutant in MUTANTS if not _dies(mutant)]
    killed = len(MUTANTS) - len(survivors)
    with capsys.disabled():
        print(f"\nlaws: {killed} of {len(MUTANTS)} mutants killed ({killed / len(MUTANTS):.0%})")  # noqa: T201

    assert survivors == []


def _dies(mutant: Mutant) -> bool:
    try:
        check_laws(mutant.fault, examples=EXAMPLES)
    except LawBroken:
        return True
    return False
