from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosproxy.toxics.server.go_json import GoJsonError, Members, Number, read_first


def plain(value: Any) -> Any:
    """As Python's own reader gives it."""
    if isinstance(value, Members):
        return {name: plain(item) for name, item in value}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return json.loads(value.text) if isinstance(value, Number) else value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_what_python_writes_is_read(value: Any, ascii_only: bool, indent: int | None) -> None:
    """Any value, however it is spaced and escaped."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)

    assert plain(read_first(text.encode("utf-8", "surrogatepass"))) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value_or_an_error(data: bytes) -> None:
    """Never another exception."""
    words = ""
    try:
        read_first(data)
    except GoJsonError as error:
        words = str(error)

    assert words.startswith(("EOF", "unexpected EOF", "invalid character ")) or not words


@settings(max_examples=25)
@given(JSON)
def test_a_value_that_is_cut_is_never_taken_for_whole(value: Any) -> None:
    """Within an array, the end is missing at every cut."""
    text = json.dumps([value]).encode()
    for cut in range(1, len(text)):
        with pytest.raises(GoJsonError, match="unexpected EOF"):
            read_first(text[:cut])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{} rubbish", {}),
        ("12x", 12),
        (' "\\ud83d\\ude00" ', "\U0001f600"),
        ('"\\ud83d"', "\ufffd"),
        ('"\\/"', "/"),
        ("-0", 0),
        ("1E+2", 100.0),
    ],
)
def test_the_first_value_is_read(text: str, value: object) -> None:
    """What follows it does not matter."""
    assert plain(read_first(text.encode())) == value


def test_bytes_that_are_no_utf_8_are_replaced() -> None:
    """As in Go."""
    assert read_first(b'"a\xffb"') == "a\ufffdb"


def test_duplicates_are_kept_in_order() -> None:
    """A form decides what they mean."""
    assert read_first(b'{"a":1,"a":null}') == [("a", Number("1")), ("a", None)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "EOF"),
        (b" \n", "EOF"),
        (b"{", "unexpected EOF"),
        (b"tru", "unexpected EOF"),
        (b"'", r"invalid character '\'' looking for beginning of value"),
        (b'{"a" "b"}', "invalid character '\"' after object key"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b'{"a":\x00}', r"invalid character '\x00' looking for beginning of value"),
        (b'"\n"', r"invalid character '\n' in string literal"),
        (b'"\\x"', "invalid character 'x' in string escape code"),
        (b'"\\u00g0"', r"invalid character 'g' in \u hexadecimal character escape"),
        (b"-}", "invalid character '}' in numeric literal"),
        (b"1.}", "invalid character '}' after decimal point in numeric literal"),
        (b"1e}", "invalid character '}' in exponent of numeric literal"),
        (b"nulx", "invalid character 'x' in literal null (expecting 'l')"),
        (b"\xc3\xa9", "invalid character '\u00c3' looking for beginning of value"),
        (b"\xad", r"invalid character '\u00ad' looking for beginning of value"),
        (b"[" * 10_001, "invalid character '[' exceeded max depth"),
    ],
)
def test_mistakes_are_named_as_in_go(text: bytes, words: str) -> None:
    """These were measured; the twin test measures more."""
    with pytest.raises(GoJsonError) as caught:
        read_first(text)

    assert str(caught.value) == words
