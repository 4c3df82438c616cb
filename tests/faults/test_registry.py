"""Users' own faults beside those of the catalogue."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar

import pytest
from pydantic import Field

from chaosproxy.errors import BadValue
from chaosproxy.events import Exchange
from chaosproxy.faults import CATALOGUE, REGISTRY
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.registry import _COMMON_KEYS, Registry
from chaosproxy.faults.timing.first_token import TimeFirstToken
from chaosproxy.plan.flat import COMMON, ELSEWHERE


class SlowStart(Fault):
    """Starts slowly."""

    type: ClassVar[str] = "acme.slow_start"
    room: ClassVar[Room] = Room.TIMING
    symptom: ClassVar[str] = "the first answer comes late"

    seconds: float = 1.0
    """How late."""

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        return TimeFirstToken().stage(dice, exchange)


def variant(**members: Any) -> type[Fault]:
    """A subclass with other members."""
    return type("Variant", (SlowStart,), {"__doc__": "Is another.", "__module__": "acme", **members})


def test_a_registered_fault_comes_after_the_catalogue() -> None:
    """And is found by its name; twice is no mistake."""
    registry = Registry(CATALOGUE)
    registry.register(SlowStart)
    registry.register(SlowStart)

    assert tuple(registry) == (*CATALOGUE, SlowStart)
    assert registry.find("acme.slow_start") is SlowStart


def test_a_misspelt_plugin_gets_a_hint() -> None:
    """Like any other fault."""
    registry = Registry(CATALOGUE)
    registry.register(SlowStart)

    with pytest.raises(BadValue, match=r"did you mean 'acme\.slow_start'"):
        registry.find("acme.slow_strat")


def test_what_is_found_everywhere_is_the_catalogue_unless_a_plugin_was_loaded() -> None:
    """Tests of ours see no plugin."""
    assert tuple(REGISTRY) == CATALOGUE


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (7, "7 is not a subclass of chaosproxy.faults.base.Fault"),
        (dict, "builtins:dict is not a subclass"),
        (SlowStart(), "is not a subclass"),
        (variant(type="sse.drop"), "type 'sse.drop' is a fault of chaosproxy's own, choose another name"),
        (variant(type="acme.slow_start"), "type 'acme.slow_start' is taken by tests.faults.test_registry:SlowStart"),
        (variant(type=None), "it misses its type, such as"),
        (variant(type="Slow Start"), "type is a name such as 'acme.slow_start', of at most 40 characters"),
        (variant(room=None), "it misses its room, one of Room.ADMISSION, Room.TIMING"),
        (
            variant(room="timing"),
            "room is one of Room.ADMISSION, Room.TIMING, Room.FRAMING, Room.SEMANTIC, Room.TOXIC, got 'timing'",
        ),
        (variant(symptom=" "), "it misses its symptom"),
        (variant(__doc__=None), "it misses a docstring"),
        (variant(stage=Fault.stage), "it misses its stage"),
        (variant(__annotations__={"share": float}, share=1.0), "a setting cannot be called share"),
        (variant(__annotations__={"n": int}), "every setting needs a default that fits: n: field required"),
        (variant(__annotations__={"n": int}, n=Field(default="x", validate_default=True)), "that fits: n: input"),
        (variant(__annotations__={"n": Registry}, n=None), "its settings cannot be read: Unable to generate"),
        (variant(__annotations__={"n": "Missing"}, n=None), "its settings cannot be read: "),
    ],
)
def test_what_cannot_be_a_fault_is_refused_with_the_reason(fault: object, words: str) -> None:
    """The class is named, and what it lacks."""
    registry = Registry(CATALOGUE)
    registry.register(SlowStart)

    with pytest.raises(BadValue) as refused:
        registry.register(fault)

    assert words in str(refused.value)


def test_everything_that_is_missing_is_told_at_once() -> None:
    """A first fault misses more than one thing."""

    class Bare(Fault):
        pass

    with pytest.raises(BadValue) as refused:
        Registry(()).register(Bare)

    for word in ("type", "room", "symptom", "docstring", "stage"):
        assert f" {word}" in str(refused.value)


def test_no_setting_may_be_called_like_a_common_key() -> None:
    """The list is the one of files and flags."""
    assert {*COMMON, *ELSEWHERE} <= _COMMON_KEYS
