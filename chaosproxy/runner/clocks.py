"""How far a proxy's clock is from ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

LOOKS = 8
"""Questions asked; the quickest answer tells most."""


class Offset(NamedTuple):
    """The other clock shows ``offset_s`` more than ours, give or take ``error_s``."""

    offset_s: float
    error_s: float


async def compare(ask: Callable[[], Awaitable[float]], clock: Callable[[], float], looks: int = LOOKS) -> Offset:
    """``ask`` for the time of the other clock several times: it was read between question and answer."""
    best: Offset | None = None
    for _ in range(looks):
        asked_at = clock()
        theirs = await ask()
        half_s = (clock() - asked_at) / 2
        if best is None or half_s < best.error_s:
            best = Offset(theirs - asked_at - half_s, half_s)
    if best is None:
        raise ValueError(looks)
    return best
