"""Text without the text: its length and rolling prefix hashes, enough to tell cut, corrupt and whole answers apart."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chaosproxy.journal.fingerprinter import BLOCK, Fingerprinter

_HEX_DIGITS = 8


class Fingerprint(BaseModel):
    """``prefixes`` holds a CRC-32 (8 hex digits) per complete block of 16 characters, each over all text up to its end,
    and no more than PREFIXES_MAX of them.

    ``whole`` is a BLAKE2b of 64 bits over all of the text.
    """

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
        while _prefix(self, blocks) == _prefix(other, blocks) != "":
            blocks += 1
        return blocks * BLOCK


def _prefix(fingerprint: Fingerprint, block: int) -> str:
    return fingerprint.prefixes[block * _HEX_DIGITS : (block + 1) * _HEX_DIGITS]


def fingerprint(text: str) -> Fingerprint:
    """The fingerprint of a whole text."""
    maker = Fingerprinter()
    maker.feed(text)
    return Fingerprint(**maker.values())
