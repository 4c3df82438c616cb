"""Newline-delimited JSON: one value a line, one line a frame."""

from __future__ import annotations

import re

PAYLOAD = re.compile(rb"\A([^\r\n]+)")
"""The value of a line."""


class LineSplitter:
    """Cuts at LF, which JSON text never contains; a CR before it belongs to the line."""

    def __init__(self) -> None:
        self._line = bytearray()

    def copy(self) -> LineSplitter:
        """An equal one that goes its own way."""
        other = LineSplitter()
        other._line += self._line
        return other

    @property
    def pending(self) -> int:
        """Bytes of the line that is not complete yet."""
        return len(self._line)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, each with its LF."""
        frames: list[bytes] = []
        *ended, rest = data.split(b"\n")
        for line in ended:
            frames.append(bytes(self._line) + line + b"\n")
            self._line.clear()
        self._line += rest
        return frames

    def skip(self, frame: bytes) -> bool:
        """Between two lines."""
        del frame
        return not self._line

    def flush(self) -> bytes:
        """A last line without its LF."""
        rest = bytes(self._line)
        self._line.clear()
        return rest
