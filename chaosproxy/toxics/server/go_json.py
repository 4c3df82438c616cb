"""Reading JSON as Go's decoder does, with its words about what is wrong: clients show them, and some compare them.

Only the first value of a body is read. Numbers stay text, because what is too large or not whole depends on the type
that a form wants; objects keep their members in order, because a later one wins and an earlier one may be wrong.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

DEPTH_MAX = 10_000
"""How deeply Go lets values nest."""


class GoJsonError(ValueError):
    """What Go's decoder would say about a body."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written."""

    text: str


class Members(list[tuple[str, Any]]):
    """The members of an object, in order, with duplicates."""


def read_first(data: bytes) -> Any:
    """The first value of ``data``: Members, list, str, Number, bool or None. Raises GoJsonError."""
    reader = _Reader(data)
    if reader.peek() is None:
        raise GoJsonError("EOF")
    containers: list[Members | list[Any]] = []
    keys: list[str] = []
    while True:
        opened = reader.opened()
        if opened is not None:
            containers.append(opened)
            if len(containers) > DEPTH_MAX:
                reader.refuse("exceeded max depth", reader.at - 1)
            if not reader.closes("}" if isinstance(opened, Members) else "]"):
                if isinstance(opened, Members):
                    keys.append(reader.key())
                continue
            value: Any = containers.pop()
        else:
            value = reader.literal()
        while containers:
            if reader.goes_on(containers[-1], keys, value):
                break
            value = containers.pop()
        if not containers:
            return value


class _Reader:
    """A place in the text; one character stands for one byte, as in Go's messages."""

    def __init__(self, data: bytes) -> None:
        self._text = data.decode("latin-1")
        self.at = 0

    def peek(self) -> str | None:
        """The next character that is no space."""
        match = _SPACE.match(self._text, self.at)
        self.at = match.end() if match else self.at
        return self._text[self.at] if self.at < len(self._text) else None

    def refuse(self, context: str, at: int | None = None) -> NoReturn:
        """Raise Go's words about the character at ``at`` (default: here), or about the end."""
        at = self.at if at is None else at
        if at >= len(self._text):
            raise GoJsonError("unexpected EOF")
        raise GoJsonError(f"invalid character {_quoted(self._text[at])} {context}")

    def opened(self) -> Members | list[Any] | None:
        """An empty container where one begins."""
        char = self.peek()
        if char is None or char not in "{[":
            return None
        self.at += 1
        return Members() if char == "{" else []

    def closes(self, bracket: str) -> bool:
        """Whether the container ends here."""
        if self.peek() != bracket:
            return False
        self.at += 1
        return True

    def goes_on(self, container: Members | list[Any], keys: list[str], value: Any) -> bool:
        """Put a value into its container; whether a further one follows."""
        if isinstance(container, Members):
            container.append((keys.pop(), value))
            bracket, context = "}", "after object key:value pair"
        else:
            container.append(value)
            bracket, context = "]", "after array element"
        if self.closes(bracket):
            return False
        if self.peek() != ",":
            self.refuse(context)
        self.at += 1
        if isinstance(container, Members):
            keys.append(self.key())
        return True

    def key(self) -> str:
        """The name of a member, and its colon."""
        if self.peek() != '"':
            self.refuse("looking for beginning of object key string")
        name = self._string()
        if self.peek() != ":":
            self.refuse("after object key")
        self.at += 1
        return name

    def literal(self) -> Any:
        """A string, number, true, false or null."""
        char = self.peek()
        if char == '"':
            return self._string()
        if char is not None and char in "-0123456789":
            return self._number()
        for word, value in _WORDS.items():
            if char == word[0]:
                return self._word(word, value)
        return self.refuse("looking for beginning of value")

    def _word(self, word: str, value: bool | None) -> bool | None:  # noqa: FBT001 - what the word means
        for offset, char in enumerate(word):
            if self._text[self.at + offset : self.at + offset + 1] != char:
                self.refuse(f"in literal {word} (expecting '{char}')", self.at + offset)
        self.at += len(word)
        return value

    def _number(self) -> Number:
        begin = self.at
        self._skip(_MINUS)
        if not self._skip(_WHOLE):
            self.refuse("in numeric literal")
        if self._skip(_POINT) and not self._skip(_DIGITS):
            self.refuse("after decimal point in numeric literal")
        if self._skip(_EXPONENT) and not self._skip(_DIGITS):
            self.refuse("in exponent of numeric literal")
        return Number(self._text[begin : self.at])

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self.at)
        if match is not None:
            self.at = match.end()
        return match is not None

    def _string(self) -> str:
        begin = self.at
        self.at += 1
        while True:
            self._skip(_PLAIN)
            char = self._text[self.at : self.at + 1]
            if char == '"':
                self.at += 1
                return _unquoted(self._text[begin : self.at])
            if char != "\\":
                self.refuse("in string literal")
            self._escape()

    def _escape(self) -> None:
        self.at += 1
        kind = self._text[self.at : self.at + 1]
        if not kind or kind not in 'bfnrt\\/"u':
            self.refuse("in string escape code")
        self.at += 1
        if kind == "u":
            for _ in range(4):
                if not self._skip(_HEX):
                    self.refuse("in \\u hexadecimal character escape")


_SPACE = re.compile(r"[ \t\r\n]*")
_MINUS, _WHOLE, _DIGITS = re.compile("-"), re.compile("0|[1-9][0-9]*"), re.compile("[0-9]+")
_POINT, _EXPONENT = re.compile(r"\."), re.compile("[eE][+-]?")
_PLAIN, _HEX = re.compile(r'[^"\\\x00-\x1f]*'), re.compile("[0-9a-fA-F]")
_WORDS = {"true": True, "false": False, "null": None}
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPES = {"'": r"\'", '"': '"', "\\": r"\\"} | dict(
    zip("\a\b\f\n\r\t\v", (r"\a", r"\b", r"\f", r"\n", r"\r", r"\t", r"\v"), strict=True)
)


def _unquoted(literal: str) -> str:
    text: str = json.loads(literal.encode("latin-1").decode("utf-8", "replace"))
    return _SURROGATE.sub("\ufffd", text)


def _quoted(char: str) -> str:
    """One byte between single quotes, as Go writes it."""
    if char in _ESCAPES:
        return f"'{_ESCAPES[char]}'"
    if char < " " or char == "\x7f":
        return f"'\\x{ord(char):02x}'"
    return f"'{char}'" if char.isprintable() else f"'\\u{ord(char):04x}'"
