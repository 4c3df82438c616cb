"""Values of a fault made smaller: durations, shares and positions, as text with their units."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import TypeVar

from chaosproxy.errors import BadValue
from chaosproxy.units import format_duration, format_share, parse_duration, parse_share

K = TypeVar("K")

DURATION_MIN_S = 0.05
"""Shorter ones are not halved: what acts for so short a time depends on luck."""
SHARE_MIN = 0.01
"""Smaller shares are not halved."""
_POSITION = re.compile(r"(event|token|message|byte|percent):(\d+(?:\.\d+)?)")


def half(text: str) -> str | None:
    """``4s`` of ``8s``, ``10%`` of ``20%``, ``token:4`` of ``token:8``; None for what is small enough or no such value.

    Positions are rounded down, and end at 1: what lies before the first event is another kind of fault.
    """
    if match := _POSITION.fullmatch(text):
        count = int(float(match[2]) / 2)
        return f"{match[1]}:{count}" if count >= 1 else None
    for parse, shown, least in (
        (parse_duration, format_duration, DURATION_MIN_S),
        (parse_share, format_share, SHARE_MIN),
    ):
        try:
            value = parse(text)
        except BadValue:
            continue
        return shown(round(value / 2, 3)) if value > least else None
    return None


def halve(values: Mapping[K, str]) -> Generator[dict[K, str], bool, dict[K, str]]:
    """Propose smaller values: all at once as long as that works, then each alone.

    Send whether a proposal still does what it shall; what comes back is the last one that did, or ``values``.
    """
    best = dict(values)
    while len(smaller := _halves(best)) > 1:
        if not (yield {**best, **smaller}):
            break
        best |= smaller
    for key in values:
        while (smaller_one := half(best[key])) is not None:
            if not (yield {**best, key: smaller_one}):
                break
            best[key] = smaller_one
    return best


def _halves(values: Mapping[K, str]) -> dict[K, str]:
    return {key: smaller for key, value in values.items() if (smaller := half(value)) is not None}
