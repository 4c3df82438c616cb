"""Reading JSON without trust."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.wire.foreign_json import count, dump, fields, items, parse, rewritten, text, word

ANY = [None, True, 1, 1.5, "a", [1], {"a": 1}]


@pytest.mark.parametrize(
    ("read", "accepted", "absent"),
    [
        (fields, {"a": 1}, {}),
        (items, [1], []),
        (text, "a", ""),
        (word, "a", None),
        (count, 1, None),
    ],
)
def test_what_is_not_as_expected_is_absent(read: Any, accepted: Any, absent: Any) -> None:
    """Each reader takes one kind of value; ``true`` is not a number."""
    assert [read(value) for value in ANY] == [accepted if type(value) is type(accepted) else absent for value in ANY]


@pytest.mark.parametrize("broken", [b"", b"{", b"\xff", "{", "nul", b"[" * 100_000, b"9" * 5000, b"\xef\xbb\xbf{}"])
def test_broken_json_is_none(broken: str | bytes) -> None:
    """Text that is no JSON, no UTF-8, too deep or too long a number reads as nothing."""
    assert parse(broken) is None


@given(st.binary())
def test_parsing_never_raises(data: bytes) -> None:
    """Any bytes can be parsed."""
    parse(data)


def _as_json_reads_it(written: str) -> Any:
    try:
        return json.loads(written)
    except ValueError:
        return None


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**62, 2**66)
    | st.integers(-(2**66), -(2**62))
    | st.floats()
    | st.text()
    | st.text(st.characters(categories=["Cs", "Lu", "Cc"]), max_size=3)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(VALUES, st.booleans(), st.integers(0, 60), st.sampled_from(["", ",", "0", " ", "}", "\n", "e9", "\ufeff", "\0"]))
def test_values_are_those_of_the_json_module(value: Any, escaped: bool, place: int, mark: str) -> None:
    """Whichever reader is at work, whole and with something wrong in it."""
    written = json.dumps(value, ensure_ascii=escaped)
    for tried in (written, written[:place] + mark + written[place:], written[:place]):
        assert repr(parse(tried)) == repr(_as_json_reads_it(tried))


@pytest.mark.parametrize(
    "odd",
    [
        "1e999",
        "18446744073709551616",
        "-9223372036854775809",
        '{"a": 1, "a": 2}',
        "[NaN, -Infinity]",
        '"\\ud83d"',
        "-0",
        "-0.0",
        "0.1234567890123456789012",
        "[" * 500 + "]" * 500,
    ],
)
def test_odd_json_is_read_as_the_json_module_reads_it(odd: str) -> None:
    """Large numbers stay exact, the last of equal keys counts, and what only json accepts is accepted."""
    assert repr(parse(odd)) == repr(json.loads(odd)) == repr(parse(odd.encode()))


def test_dump_is_compact_and_keeps_characters() -> None:
    """JSON is written as providers write it: no spaces, UTF-8 as it is."""
    assert dump({"a": ["é", 1]}) == '{"a":["é",1]}'


@given(st.text())
def test_any_text_can_be_dumped_and_encoded(value: str) -> None:
    """Also a lone surrogate, which JSON may spell and UTF-8 may not."""
    assert json.loads(dump(value).encode().decode()) == value


def test_lone_surrogate_becomes_its_escape() -> None:
    """Half a character is written as the escape that it was read from."""
    assert dump(json.loads('"\\ud83d"')) == '"\\ud83d"'


def test_too_deep_to_write_is_nothing() -> None:
    """A value of any depth is written or left out, never an exception."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert rewritten(deep) == ""
    assert rewritten([1]) == "[1]"
