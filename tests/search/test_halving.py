"""Halving values, against an oracle that knows how small each may become."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

import pytest

from chaosproxy.search.halving import half, halve

T = TypeVar("T")


def drive(search: Generator[T, bool, T], still: Callable[[T], bool]) -> tuple[T, list[T]]:
    """The result of a search, and all that it proposed."""
    proposed: list[T] = []
    try:
        proposal = next(search)
        while True:
            proposed.append(proposal)
            proposal = search.send(still(proposal))
    except StopIteration as ended:
        return ended.value, proposed


@pytest.mark.parametrize(
    ("value", "smaller"),
    [
        ("8s", "4s"),
        ("1s", "500ms"),
        ("125ms", "62ms"),
        ("50ms", None),
        ("0s", None),
        ("20%", "10%"),
        ("1%", None),
        ("token:8", "token:4"),
        ("event:3", "event:1"),
        ("byte:1", None),
        ("percent:50", "percent:25"),
        ("message:2", "message:1"),
        ("before_terminal", None),
        ("forever", None),
        ("503", None),
        ("models", None),
    ],
)
def test_half(value: str, smaller: str | None) -> None:
    """Of what has a unit; nothing becomes zero, because that would be another fault."""
    assert half(value) == smaller


def test_all_values_are_halved_together_first() -> None:
    """As long as that works it is one proposal for all of them."""
    result, proposed = drive(halve({"a": "8s", "b": "80%"}), lambda values: values["a"] != "1s")

    assert proposed[:3] == [{"a": "4s", "b": "40%"}, {"a": "2s", "b": "20%"}, {"a": "1s", "b": "10%"}]
    assert result["a"] == "2s"
    assert half(result["b"]) is None


def test_a_value_that_must_stay_keeps_no_other_from_being_halved() -> None:
    """Each alone, after they cannot be halved together."""
    result, _ = drive(halve({"a": "8s", "b": "token:9"}), lambda values: values["a"] == "8s")

    assert result == {"a": "8s", "b": "token:1"}


def test_nothing_is_proposed_twice() -> None:
    """A proposal is a run, or several."""
    _, proposed = drive(halve({"a": "1s"}), lambda _: False)

    assert proposed == [{"a": "500ms"}]


def test_without_a_value_that_can_be_halved_nothing_is_proposed() -> None:
    """The values come back as they are."""
    assert drive(halve({"a": "503"}), lambda _: True) == ({"a": "503"}, [])
