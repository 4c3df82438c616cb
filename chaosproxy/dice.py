"""Repeatable chance: every draw belongs to one fault and one exchange, so adding a fault never re-rolls another.

The counterpart in the plan computes the key of an exchange (call tag and attempt number at that listener); see
docs/decisions for why neither time nor arrival order may enter it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Dice:
    """The source of all randomness of a run, given its seed."""

    seed: int

    def throw(self, fault_id: str, key: str) -> random.Random:
        """A generator of its own for this fault and this dice key: same arguments, same draws, on every machine."""
        digest = blake2b(f"{self.seed}\x1f{fault_id}\x1f{key}".encode(), digest_size=16).digest()
        return random.Random(int.from_bytes(digest, "big"))
