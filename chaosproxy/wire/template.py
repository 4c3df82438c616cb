"""Reads the content events of one stream by what they have in common.

They differ in their text, in one more value perhaps (a time, padding), and in nothing else; so both are known by their
place:

    data: {"id":"x","choices":[{"delta":{"content":"     },"finish_reason":null}],"ts":     }
    |------------------- prefix -------------------|text|---------- middle -----------|value|tail, the blank line too

Before the middle, what needs no escape in a JSON string is the text, letter by letter; whatever else stands there is
left to the dialect.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Read = Callable[[bytes], str | None]
"""A dialect's way to read an ordinary content event."""

_NEEDS_ESCAPE = re.compile(rb'["\\\x00-\x1f]').search
"""In a JSON string (RFC 8259, 7); no line end of SSE is left either."""
_NOTHING = re.compile(rb"")
_DIGITS = re.compile(rb"0|[1-9][0-9]*")
_LETTERS = re.compile(rb'[^"\\\x00-\x1f]*')
_SAMPLES = {_NOTHING: (b"",), _DIGITS: (b"0", b"1"), _LETTERS: (b"", b"x")}
"""Values of each kind: to a dialect they tell something or nothing, but not more than that."""
_LEARNT_CHARS = 1000
"""Of longer texts there are few in a stream: learning would cost more than it saves."""
_PROBE = "\N{SNOWMAN} probe"


class Template:
    """What is the same in all events. ``suffix`` is what followed the text in the event from which it was learnt."""

    __slots__ = ("_is_value", "_middle", "_tail", "prefix", "suffix")

    def __init__(self, prefix: bytes, suffix: bytes, middle: bytes, value: re.Pattern[bytes], tail: bytes) -> None:
        self.prefix = prefix
        self.suffix = suffix
        self._middle = middle
        self._is_value = value.fullmatch
        self._tail = tail

    def texts(self, data: bytes) -> list[str] | None:
        """The texts of the events of which ``data`` is made, none of them empty; None when it is not made like this."""
        prefix, middle = self.prefix, self._middle
        if not data.startswith(prefix):
            return None
        *events, rest = data.split(self._tail)
        if rest or not events:
            return None
        begin, texts = len(prefix), []
        for event in events:
            end = event.find(middle, begin)
            if end <= begin or not event.startswith(prefix) or self._is_value(event, end + len(middle)) is None:
                return None
            texts.append(event[begin:end])
        if _NEEDS_ESCAPE(b"".join(texts)) is not None:
            return None
        try:
            return [text.decode() for text in texts]
        except UnicodeDecodeError:
            return None


def learn(frame: bytes, text: str, read: Read, known: Template | None = None) -> Template | None:
    """The template of ``frame``, in which ``read`` found ``text``, and of the frame from which ``known`` was learnt.

    Else the template of ``frame`` alone, and ``known`` where the place of the text is not certain.
    """
    if len(text) > _LEARNT_CHARS:
        return known
    written = b'"%b"' % text.encode("utf-8", "surrogatepass")
    before, _, after = frame.partition(written)
    if not after.endswith(b"\n\n") or written in after or _NEEDS_ESCAPE(written, 1, len(written) - 1) is not None:
        return known
    prefix, suffix = before + b'"', b'"' + after
    middle, value, tail = suffix[:-2], _NOTHING, b"\n\n"
    if known is not None and known.prefix == prefix:
        middle, value, tail = _common(known.suffix, suffix)
    for sample in _SAMPLES[value]:
        if read(prefix + _PROBE.encode() + middle + sample + tail) != _PROBE:
            return known
    return Template(prefix, suffix, middle, value, tail)


def _common(one: bytes, other: bytes) -> tuple[bytes, re.Pattern[bytes], bytes]:
    """What stands before and behind the one value in which two suffixes differ, and what kind of value it is."""
    begin = _alike(one, other)
    end = _alike(one[begin:][::-1], other[begin:][::-1])
    while one[begin - 1 : begin].isdigit():
        begin -= 1
    while one[len(one) - end : len(one) - end + 1].isdigit():
        end -= 1
    tail = one[len(one) - end :]
    if all(_DIGITS.fullmatch(suffix, begin, len(suffix) - end) for suffix in (one, other)):
        return one[:begin], _DIGITS, tail
    begin = one.rfind(b'"', 0, begin) + 1
    tail = tail[tail.find(b'"') :]
    names_a_field = tail[1:].lstrip().startswith(b":")
    if names_a_field or not all(_LETTERS.fullmatch(suffix, begin, len(suffix) - len(tail)) for suffix in (one, other)):
        return other[:-2], _NOTHING, b"\n\n"
    return one[:begin], _LETTERS, tail


def _alike(one: bytes, other: bytes) -> int:
    """How many bytes two beginnings have in common."""
    size = min(len(one), len(other))
    return next((place for place in range(size) if one[place] != other[place]), size)
