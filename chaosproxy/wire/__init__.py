"""Bytes <-> frames, lossless at any split, and what the frames mean (``dialects``).

A splitter never changes a byte: the frames that it returns, joined with what ``flush`` gives at the end, are the input.
"""

from __future__ import annotations

from typing import Protocol, Self


class Splitter(Protocol):
    """Cuts a byte stream into frames. One instance per response body."""

    def copy(self) -> Self:
        """An equal one that goes its own way."""

    @property
    def pending(self) -> int:
        """Bytes fed that belong to a frame which is not complete yet."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes, each with all its bytes (blank lines and line ends included)."""

    def skip(self, frame: bytes) -> bool:
        """Let a whole frame pass that ends with a blank line of LF; False, and nothing done, inside of another."""

    def flush(self) -> bytes:
        """What is left at the end of the body; empty when it ended on a frame boundary."""
