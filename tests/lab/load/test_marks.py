"""Traces of a restart and of another call in a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.lab.load.marks import foreign_tag, kept_chars, restarted_at
from chaosproxy.lab.text import expected_answer

OWN = "cp-abcd12-12"
EXPECTED = "".join(expected_answer(OWN, 40))


@given(cut=st.integers(1, len(EXPECTED) - 1))
def test_replayed_answer_is_found_wherever_it_was_cut(cut: int) -> None:
    """A gateway that retries after content appends a whole answer to the part that was out."""
    assert restarted_at(EXPECTED[:cut] + EXPECTED, EXPECTED) == cut


@given(cut=st.integers(16, len(EXPECTED) - 1))
def test_replayed_answer_is_found_without_an_oracle(cut: int) -> None:
    """The answer's own opening is enough when enough of it was out."""
    assert restarted_at(EXPECTED[:cut] + EXPECTED, None) == cut


@pytest.mark.parametrize("text", ["", "x", EXPECTED, EXPECTED[:50], EXPECTED[40:], EXPECTED[:20] + EXPECTED[40:]])
def test_cut_or_gappy_text_is_no_restart(text: str) -> None:
    """What is missing does not make the rest begin anew."""
    assert restarted_at(text, EXPECTED) is None
    assert restarted_at(text, None) is None


def test_one_character_cannot_restart() -> None:
    """An expected text of one character tells nothing."""
    assert restarted_at("aaa", "a") is None


@pytest.mark.parametrize(
    ("text", "own", "foreign"),
    [
        (EXPECTED, OWN, None),
        (EXPECTED, "cp-abcd12-13", OWN),
        (EXPECTED, None, OWN),
        (f"{OWN} some words cp-abcd12-7 more", OWN, "cp-abcd12-7"),
        ("words cp-abcd12-1", OWN, None),  # our own tag, cut
        (f"words cp-abcd12-1{OWN} words", OWN, None),  # cut within the tag, begun anew
        ("cp-abcd12-1 words", OWN, "cp-abcd12-1"),  # the answer of call 1
        (f"cp-zzzz99-12 {OWN}", OWN, "cp-zzzz99-12"),  # another run's
    ],
)
def test_another_calls_tag_is_found(text: str, own: str | None, foreign: str | None) -> None:
    """Each tag that is not our own names the call, or the run, whose text this is."""
    assert foreign_tag(text, own) == foreign


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (EXPECTED, len(EXPECTED)),
        (EXPECTED[:-3], len(EXPECTED) - 3),
        (EXPECTED + " more", len(EXPECTED)),
        (EXPECTED[:-12] + "#" + EXPECTED[-6:], len(EXPECTED) - 12),
        ("", 0),
    ],
)
def test_kept_characters_are_counted_one_by_one(text: str, kept: int) -> None:
    """So a text is cut when it has no other character."""
    assert kept_chars(text, EXPECTED) == kept


def test_nothing_is_kept_of_an_unknown_text() -> None:
    """Which is not the same as no character."""
    assert kept_chars("a", None) is None
