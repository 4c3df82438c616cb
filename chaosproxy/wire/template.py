"""Reads the content events of one stream by what they have in common.

They differ in their text and in nothing else, so a text is known by its place:

    data: {"id":"x","choices":[{"delta":{"content":"     },"finish_reason":null}]}
    |------------------- prefix -------------------|text|--------- suffix ---------|

Between prefix and suffix, what needs no escape in a JSON string is the text, letter by letter; whatever else stands
there is left to the dialect.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_NEEDS_ESCAPE = re.compile(rb'["\\\x00-\x1f]').search
"""In a JSON string (RFC 8259, 7); no line end of SSE is left either."""
_LEARNT_CHARS = 1000
"""Of longer texts there are few in a stream: learning would cost more than it saves."""
_PROBE = "\N{SNOWMAN} probe"


class Template:
    """What stands before and after the text, the blank line at the end included."""

    __slots__ = ("_prefix", "_suffix")

    def __init__(self, prefix: bytes, suffix: bytes) -> None:
        self._prefix = prefix
        self._suffix = suffix

    def texts(self, data: bytes) -> list[str] | None:
        """The texts of the events of which ``data`` is made, none of them empty; None when it is not made like this."""
        prefix = self._prefix
        if not data.startswith(prefix):
            return None
        *events, rest = data.split(self._suffix)
        if rest or not events:
            return None
        size = len(prefix)
        texts = []
        for event in events:
            text = event[size:]
            if not text or not event.startswith(prefix):
                return None
            texts.append(text)
        if _NEEDS_ESCAPE(b"".join(texts)) is not None:
            return None
        try:
            return [text.decode() for text in texts]
        except UnicodeDecodeError:
            return None


def learn(frame: bytes, text: str, read: Callable[[bytes], str | None]) -> Template | None:
    """The template of ``frame``, in which ``read`` found ``text``; None where the place of the text is not certain."""
    if len(text) > _LEARNT_CHARS:
        return None
    written = b'"%b"' % text.encode("utf-8", "surrogatepass")
    before, _, after = frame.partition(written)
    if not after.endswith(b"\n\n") or written in after or _NEEDS_ESCAPE(written, 1, len(written) - 1) is not None:
        return None
    prefix, suffix = before + b'"', b'"' + after
    return Template(prefix, suffix) if read(prefix + _PROBE.encode() + suffix) == _PROBE else None
