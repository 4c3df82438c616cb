"""Computes the fingerprint of a text while it passes. Apart from its model, so that it can be compiled."""

from __future__ import annotations

import sys
from array import array
from hashlib import blake2b
from typing import Any
from zlib import crc32

BLOCK = 16
"""Characters per prefix hash. A difference in the last, partial block is seen by ``whole`` only."""
PREFIXES_MAX = 64 * 1024
"""Of a text longer than this many blocks (a million characters) the rest is known by length and ``whole`` only."""
_WHOLE_BYTES = 8


class Fingerprinter:
    """Computes a fingerprint while the text arrives, in pieces of any size; long pieces are cheaper per character."""

    __slots__ = ("_chars", "_crc", "_hash", "_prefixes", "_rest")

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=_WHOLE_BYTES)
        self._crc = 0
        self._prefixes = array("I")
        self._rest = ""
        self._chars = 0

    def feed(self, text: str) -> None:
        """Add a piece."""
        self._chars += len(text)
        text = self._rest + text
        end = len(text) - len(text) % BLOCK
        self._rest = text[end:]
        if end:
            self._add_blocks(text[:end])

    def copy(self) -> Fingerprinter:
        """An equal one that goes its own way."""
        other = Fingerprinter()
        other._hash, other._crc = self._hash.copy(), self._crc
        other._prefixes = self._prefixes[:]
        other._rest, other._chars = self._rest, self._chars
        return other

    def values(self) -> dict[str, Any]:
        """The fields of the fingerprint of all text so far, defaults left out."""
        if not self._chars:
            return {}
        whole = self._hash
        if self._rest:
            whole = whole.copy()
            whole.update(_encoded(self._rest))
        values: dict[str, Any] = {"chars": self._chars, "whole": whole.hexdigest()}
        if self._prefixes:
            values["prefixes"] = _big_endian(self._prefixes).hex()
        return values

    def _add_blocks(self, text: str) -> None:
        data = _encoded(text)
        self._hash.update(data)
        crc, add = self._crc, self._prefixes.append
        ends = range(BLOCK, 1 + min(len(text), BLOCK * (PREFIXES_MAX - len(self._prefixes))), BLOCK)
        if len(data) == len(text):  # a block is 16 characters: as many bytes when all of them are ASCII
            for end in ends:
                crc = crc32(data[end - BLOCK : end], crc)
                add(crc)
        else:
            for end in ends:
                crc = crc32(_encoded(text[end - BLOCK : end]), crc)
                add(crc)
        self._crc = crc


def _big_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "little":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
