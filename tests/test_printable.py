"""Text of strangers for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.errors import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode, 日本", "plain, ünïcode, 日本"),
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("over\rwritten", "over\\x0dwritten"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_would_steer_is_shown(text: str, shown: str) -> None:
    """A terminal gets text, and nothing that it obeys."""
    assert printable(text) == shown


@given(st.text())
def test_nothing_that_steers_is_left(text: str) -> None:
    """Whatever comes in, what comes out can be written anywhere."""
    shown = printable(text)

    assert not any(ord(letter) < 0x20 and letter not in "\n\t" for letter in shown)
    assert not any(0x7F <= ord(letter) < 0xA0 for letter in shown)
    shown.encode("utf-8")
