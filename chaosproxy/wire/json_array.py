"""A JSON array that is sent element by element, as Google's servers stream without ``alt=sse``: one object a frame.

A frame begins with what joins its object to the one before:

    [{...}      the bracket comes with the first object
    ,{...}      the comma with each further one, space as well
    ]           what closes the array is a frame of its own

Elements that are no objects come with the next frame.
"""

from __future__ import annotations

import re

PAYLOAD = re.compile(rb"\A[\s\[,]*([^\s\[\],].*?)(?:\s*\])?\s*\Z", re.DOTALL)
"""The element of a frame, without what stands between two of them."""
_OUTSIDE = re.compile(rb'["{}\]]')
_IN_STRING = re.compile(rb'["\\]')


class ArraySplitter:
    """Cuts behind each object that is an element, and behind the bracket that closes the array.

    Brackets inside of objects and braces inside of strings are theirs. Whatever is not such an array is one frame or
    none: it comes with ``flush``.
    """

    __slots__ = ("_buffer", "_depth", "_in_string", "_searched")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._depth = 0
        self._in_string = False

    def copy(self) -> ArraySplitter:
        """An equal one that goes its own way."""
        other = ArraySplitter()
        other._buffer += self._buffer
        other._searched, other._depth, other._in_string = self._searched, self._depth, self._in_string
        return other

    @property
    def pending(self) -> int:
        """Bytes of the frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes."""
        self._buffer += data
        frames: list[bytes] = []
        start = 0
        while end := self._frame_end():
            frames.append(bytes(self._buffer[start:end]))
            start = end
        del self._buffer[:start]
        self._searched -= start
        return frames

    def skip(self, frame: bytes) -> bool:
        """Between two frames."""
        del frame
        return not self._buffer

    def flush(self) -> bytes:
        """What is left at the end: half an object, or space behind the array."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._searched, self._depth, self._in_string = 0, 0, False
        return rest

    def _frame_end(self) -> int:
        """Where the next frame ends; 0 when that is not known yet."""
        at = self._searched
        while found := (_IN_STRING if self._in_string else _OUTSIDE).search(self._buffer, at):
            at = found.end()
            mark = found[0]
            if mark == b'"':
                self._in_string = not self._in_string
            elif mark == b"\\":
                at += 1  # what is escaped, which may not have come yet
            elif mark == b"{":
                self._depth += 1
            else:
                self._depth -= mark == b"}" and self._depth > 0
                if self._depth == 0:
                    self._searched = at
                    return at
        self._searched = max(at, len(self._buffer))
        return 0
