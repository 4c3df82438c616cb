"""Text without the text: its length and rolling prefix hashes, enough to tell cut, corrupt and whole answers apart."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from pydantic import BaseModel, ConfigDict

BLOCK = 16
"""Characters per prefix hash. A difference in the last, partial block is seen by ``whole`` only."""
_BYTES = 4


class Fingerprint(BaseModel):
    """``prefixes`` holds one hash (8 hex digits) per complete block of 16 characters, each over all text before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chars: int = 0
    prefixes: str = ""
    whole: str = ""

    def begins(self, other: Fingerprint) -> bool:
        """Whether this text is, as far as whole blocks can tell, a beginning of ``other``."""
        return self.chars <= other.chars and other.prefixes.startswith(self.prefixes)

    def common_chars(self, other: Fingerprint) -> int:
        """Length of the common beginning, in characters, rounded down to a block (exact when the texts are equal)."""
        if self == other:
            return self.chars
        blocks = 0
        step = 2 * _BYTES
        while (
            self.prefixes[blocks * step : (blocks + 1) * step]
            == other.prefixes[blocks * step : (blocks + 1) * step]
            != ""
        ):
            blocks += 1
        return blocks * BLOCK


class Fingerprinter:
    """Computes a fingerprint while the text arrives, in pieces of any size."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=8)
        self._prefixes: list[str] = []
        self._rest = ""
        self._chars = 0

    def feed(self, text: str) -> None:
        """Add a piece."""
        self._chars += len(text)
        self._rest += text
        while len(self._rest) >= BLOCK:
            self._hash.update(self._rest[:BLOCK].encode("utf-8", "surrogatepass"))
            self._rest = self._rest[BLOCK:]
            self._prefixes.append(self._hash.digest()[:_BYTES].hex())

    def copy(self) -> Fingerprinter:
        """An equal one that goes its own way."""
        other = Fingerprinter()
        other._hash = self._hash.copy()
        other._prefixes = list(self._prefixes)
        other._rest, other._chars = self._rest, self._chars
        return other

    def values(self) -> dict[str, Any]:
        """The fields of the fingerprint of all text so far, defaults left out."""
        if not self._chars:
            return {}
        whole = self._hash.copy()
        whole.update(self._rest.encode("utf-8", "surrogatepass"))
        values: dict[str, Any] = {"chars": self._chars, "whole": whole.hexdigest()}
        if self._prefixes:
            values["prefixes"] = "".join(self._prefixes)
        return values

    def result(self) -> Fingerprint:
        """The fingerprint of all text so far."""
        return Fingerprint(**self.values())


def fingerprint(text: str) -> Fingerprint:
    """The fingerprint of a whole text."""
    maker = Fingerprinter()
    maker.feed(text)
    return maker.result()
