"""Repeatable chance: every draw belongs to one fault and one exchange, so adding a fault never re-rolls another.

The counterpart in the plan computes the key of an exchange (call tag and attempt number at that listener); see
docs/decisions for why neither time nor arrival order may enter it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Dice:
    """The source of all randomness of a run, given its seed."""

    seed: int

    def throw(self, fault_id: str, key: str) -> random.Random:
        """A generator of its own for this fault and this dice key: same arguments, same draws, on every machine."""
        digest = blake2b(_bytes(f"{self.seed}\x1f{fault_id}\x1f{key}"), digest_size=16).digest()
        return random.Random(int.from_bytes(digest, "big"))

    def draws(self, fault_id: str) -> Callable[[str], float]:
        """For each dice key one number in [0, 1), of this fault alone and independent of what ``throw`` gives.

        It is a hash: a tenth of the time that it takes to seed a generator, for the many that are not chosen.
        """
        begun = blake2b(_bytes(f"{self.seed}\x1f{fault_id}\x1f"), digest_size=8, person=b"draws")

        def draw(key: str) -> float:
            state = begun.copy()
            state.update(_bytes(key))
            return (int.from_bytes(state.digest(), "big") >> 11) * 2.0**-53

        return draw


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a client may name its call in any bytes
