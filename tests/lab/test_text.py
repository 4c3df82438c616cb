"""The lab's text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.lab.load.marks import OPENING_CHARS, restarted_at
from chaosproxy.lab.text import TAG_EVERY, call_tag, expected_answer, expected_arguments

TAG = "cp-abcd12-7"
tags = st.from_regex(r"cp-[0-9a-z]{4,12}-[0-9]{1,7}", fullmatch=True)


@given(prompt=st.text(), tokens=st.integers(1, 80), more=st.integers(0, 20))
def test_shorter_answer_begins_the_longer_one(prompt: str, tokens: int, more: int) -> None:
    """The answer depends on the prompt alone; its length only decides where it stops."""
    longer = expected_answer(prompt, tokens + more)

    assert expected_answer(prompt, tokens) == longer[:tokens]


@given(tag=tags, around=st.text(max_size=20))
def test_answer_hangs_on_the_call_tag(tag: str, around: str) -> None:
    """A gateway may put words of its own around a tagged prompt without changing the answer."""
    assert expected_answer(f"You are helpful.\n{tag}", 40) == expected_answer(f"{tag} {around.replace('cp-', '')}", 40)


def test_last_tag_counts() -> None:
    """In a history with earlier answers the newest call is meant."""
    assert call_tag(f"cp-abcd12-6 said something\n{TAG} go on") == TAG
    assert call_tag("no tag") is None


@given(tag=tags)
def test_tag_opens_the_text_and_comes_back(tag: str) -> None:
    """Any stretch of TAG_EVERY tokens tells whose answer it is."""
    pieces = expected_answer(tag, 3 * TAG_EVERY)

    assert [index for index, piece in enumerate(pieces) if piece.strip() == tag] == [0, TAG_EVERY, 2 * TAG_EVERY]


@given(prompt=st.one_of(tags, st.text()))
def test_opening_never_comes_back(prompt: str) -> None:
    """A text that contains its own opening twice was begun anew, so a whole one must not."""
    text = "".join(expected_answer(prompt, 400))

    assert text.find(text[:OPENING_CHARS], 1) == -1
    assert restarted_at(text, None) is None


@given(prompt=st.one_of(tags, st.text()))
def test_text_has_characters_of_every_width(prompt: str) -> None:
    """Within a dozen tokens there are characters of 1, 2, 3 and 4 bytes in UTF-8."""
    widths = {len(character.encode()) for character in "".join(expected_answer(prompt, 12))}

    assert widths == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("What is the capital of France?", "The capital of France is Paris."),
        ("Name the capital of France in one word.", "Paris"),
        (f"[{TAG}] The capital of France? A single word.", f"{TAG} Paris"),
    ],
)
def test_capital_of_france_is_paris(prompt: str, text: str) -> None:
    """The question that everybody asks gets its answer, in one word when one word is asked for."""
    assert "".join(expected_answer(prompt, 40)) == text


@given(prompt=st.text(), tokens=st.integers(1, 60))
def test_arguments_are_json(prompt: str, tokens: int) -> None:
    """A tool call's arguments are valid JSON in at least three pieces, and hold the answer."""
    pieces = expected_arguments(prompt, tokens)

    assert json.loads("".join(pieces)) == {"query": "".join(expected_answer(prompt, max(1, tokens - 2)))}
    assert len(pieces) == max(3, min(tokens, len(pieces)))
