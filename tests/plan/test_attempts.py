"""Attempts are counted exactly, in memory of a fixed size."""

from __future__ import annotations

import sys
from collections import OrderedDict
from random import Random

import pytest

from chaosproxy.plan.attempts import Attempts


def test_each_key_has_numbers_of_its_own() -> None:
    """From 1."""
    attempts = Attempts(10)
    assert [attempts.next(key) for key in ("a", "b", "a", "a", "b")] == [1, 1, 2, 3, 2]


def test_beyond_its_size_the_oldest_is_forgotten() -> None:
    """However often it was seen."""
    attempts = Attempts(2)
    assert [attempts.next(key) for key in ("a", "b", "b", "a", "c")] == [1, 1, 2, 2, 1]
    assert [attempts.next(key) for key in ("c", "b", "a", "c", "b")] == [2, 3, 1, 3, 1]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_it_counts_as_a_dict_would(size: int) -> None:
    """Whatever comes and goes: no key takes another one's place."""
    attempts, chance = Attempts(size), Random(size)
    model: OrderedDict[str, int] = OrderedDict()
    for _ in range(20 * size + 1000):
        key = f"call {chance.randrange(3 * size)}"
        if key not in model and len(model) == size:
            model.popitem(last=False)
        model[key] = model.get(key, 0) + 1
        assert attempts.next(key) == model[key]


def test_keys_that_want_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """They stand one after the other, around the end of the table, and stay findable when one before them goes."""
    attempts = Attempts(4)
    slots = attempts._mask + 1
    codes = {"a": slots - 1, "b": 2 * slots - 1, "c": slots - 2, "d": 3 * slots - 1, "e": 1, "f": 4 * slots - 1}
    monkeypatch.setattr("builtins.hash", lambda key: codes[key])
    told = [attempts.next(key) for key in "abcdaebcdefb"]
    monkeypatch.undo()
    assert told == [1, 1, 1, 1, 2, 1, 2, 2, 2, 2, 1, 1]


def test_it_takes_no_more_memory_than_at_the_start() -> None:
    """A hundred thousand calls in less than 5 MB, the first as the last."""
    attempts = Attempts(100_000)
    held = [sys.getsizeof(each) for each in (attempts._keys, attempts._counts, attempts._row)]
    for number in range(1000):
        attempts.next(f"call {number}")
    assert [sys.getsizeof(each) for each in (attempts._keys, attempts._counts, attempts._row)] == held
    assert sum(held) < 5_000_000
