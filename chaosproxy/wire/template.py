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
_PROBE = "\N{SNOWMAN} probe"


class Template:
    """What stands before and after the text, the blank line at the end included."""

    __slots__ = ("_prefix", "_seam", "_suffix")

    def __init__(self, prefix: bytes, suffix: bytes) -> None:
        self._prefix = prefix
        self._suffix = suffix
        self._seam = suffix + prefix

    def texts(self, data: bytes) -> list[str] | None:
        """The texts of the events of which ``data`` is made, none of them empty; None when it is not made like this."""
        prefix, suffix = self._prefix, self._suffix
        if not data.endswith(suffix) or not data.startswith(prefix) or len(data) < len(self._seam):
            return None
        pieces = data[len(prefix) : len(data) - len(suffix)].split(self._seam)
        if b"" in pieces:
            return None
        together = b"".join(pieces)
        if _NEEDS_ESCAPE(together) is not None:
            return None
        try:
            return [piece.decode() for piece in pieces]
        except UnicodeDecodeError:
            return None


def learn(frame: bytes, text: str, read: Callable[[bytes], str | None]) -> Template | None:
    """The template of ``frame``, in which ``read`` found ``text``; None where the place of the text is not certain."""
    written = b'"%b"' % text.encode("utf-8", "surrogatepass")
    before, _, after = frame.partition(written)
    if not after.endswith(b"\n\n") or written in after or _NEEDS_ESCAPE(written, 1, len(written) - 1) is not None:
        return None
    prefix, suffix = before + b'"', b'"' + after
    return Template(prefix, suffix) if read(prefix + _PROBE.encode() + suffix) == _PROBE else None
