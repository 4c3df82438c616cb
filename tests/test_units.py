"""Quantities: as people write them, as code keeps them, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from chaosproxy.errors import BadValue
from chaosproxy.units import (
    Duration,
    Flag,
    Hold,
    Rate,
    Share,
    format_duration,
    format_hold,
    format_rate,
    format_share,
    parse_duration,
    parse_flag,
    parse_hold,
    parse_rate,
    parse_share,
    split_list,
)


class Quantities(BaseModel):
    duration: Duration = 0.0
    hold: Hold = 0.0
    share: Share = 0.0
    rate: Rate = 1.0
    flag: Flag = False


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("2s", 2.0), ("1.5m", 90.0), ("1h", 3600.0), (" 3 s ", 3.0), ("0s", 0.0)]
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    """With its unit."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["3", "3 sec", "-1s", "s", "1e3s", "1:30", ""])
def test_a_duration_without_a_known_unit_is_refused(text: str) -> None:
    """With the value and examples."""
    with pytest.raises(BadValue, match="expected a time with its unit") as caught:
        parse_duration(text)

    assert repr(text) in str(caught.value)


def test_a_share_is_the_very_number_that_a_count_gives() -> None:
    """999 of 1000 calls are 99.9 %, and neither less nor more: nothing fails at its bound by rounding."""
    off = [permille for permille in range(1001) if parse_share(f"{permille / 10}%") != permille / 1000]

    assert off == []


@pytest.mark.parametrize(("text", "share"), [("20%", 0.2), ("0%", 0.0), ("100 %", 1.0), ("12.5%", 0.125)])
def test_a_share_is_read_as_a_part_of_one(text: str, share: float) -> None:
    """With its percent sign."""
    assert parse_share(text) == share


@pytest.mark.parametrize("text", ["20", "0.2", "101%", "-1%"])
def test_a_share_without_its_sign_or_beyond_all_is_refused(text: str) -> None:
    """20 could be meant as either."""
    with pytest.raises(BadValue):
        parse_share(text)


@pytest.mark.parametrize(("text", "per_second"), [("20/s", 20.0), ("90/m", 1.5), ("0.5 / s", 0.5)])
def test_a_rate_is_read_per_second(text: str, per_second: float) -> None:
    """With its unit."""
    assert parse_rate(text) == per_second


def test_a_rate_without_its_unit_is_refused() -> None:
    """As any quantity."""
    with pytest.raises(BadValue, match="expected a rate with its unit"):
        parse_rate("20")


def test_a_hold_may_last_for_ever() -> None:
    """As long as its lease."""
    assert (parse_hold("forever"), parse_hold("2s")) == (float("inf"), 2.0)
    assert (format_hold(float("inf")), format_hold(2.0)) == ("forever", "2s")


@given(st.integers(0, 10**8))
def test_a_duration_survives_being_written(milliseconds: int) -> None:
    """Exactly, down to a millisecond."""
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=1e-9)


def test_quantities_are_written_as_people_would() -> None:
    """The shortest text."""
    assert [format_duration(value) for value in (0, 0.25, 1, 90)] == ["0s", "250ms", "1s", "90s"]
    assert (format_share(0.2), format_rate(1.5)) == ("20%", "1.5/s")


@pytest.mark.parametrize(("value", "flag"), [("true", True), ("false", False), (True, True), (False, False)])
def test_a_flag_is_true_or_false(value: object, flag: object) -> None:
    """And nothing else spells it."""
    assert parse_flag(value) is flag


@pytest.mark.parametrize("text", ["on", "yes", "no", "off", "1", "True"])
def test_another_word_is_no_flag(text: str) -> None:
    """YAML 1.1 thought otherwise."""
    with pytest.raises(BadValue, match="expected true or false"):
        parse_flag(text)


def test_a_list_may_be_written_with_commas() -> None:
    """On a command line; a list stays one."""
    assert split_list("a, b,c") == ["a", "b", "c"]
    assert split_list("") == []
    assert split_list(["a"]) == ["a"]


def test_numbers_are_taken_as_they_are_in_python_only() -> None:
    """Seconds, parts of one, per second; never out of range."""
    assert Quantities(duration=2, share=0.5, rate=3).duration == 2.0
    for values in ({"duration": -1}, {"duration": float("inf")}, {"share": 1.1}, {"rate": 0}, {"hold": -1}):
        with pytest.raises(ValidationError):
            Quantities.model_validate(values)


def test_json_carries_the_units() -> None:
    """So that what one process writes another one reads."""
    values = Quantities(duration=0.25, hold=float("inf"), share=0.2, rate=1.5, flag=True)

    assert values.model_dump(mode="json") == {
        "duration": "250ms",
        "hold": "forever",
        "share": "20%",
        "rate": "1.5/s",
        "flag": True,
    }
    assert Quantities.model_validate_json(values.model_dump_json()) == values
