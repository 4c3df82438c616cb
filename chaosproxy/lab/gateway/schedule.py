"""When to ask again: pauses with jitter, and Retry-After in all its spellings (RFC 9110, 10.2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from random import Random


def parse_retry_after(text: str, wall_s: float) -> float | None:
    """Seconds from now of ``2``, ``0.5`` or an HTTP date; None when it is neither. ``wall_s``: since 1970."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, wall_s)
    return max(0.0, seconds) if seconds == seconds else None  # noqa: PLR0124 - NaN is no number of seconds


def _seconds_until(date: str, wall_s: float) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - wall_s
    except ValueError:
        return float("nan")


class Pauses:
    """Exponential, half of each drawn by chance, so that clients that failed together do not come back together."""

    def __init__(self, *, first_s: float, max_s: float, chance: Random) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._chance = chance

    def before_retry(self, ordinal: int) -> float:
        """Seconds to wait before the retry with this number, from 1 on; never more than ``max_s``."""
        full_s = min(self._max_s, self._first_s * 2.0 ** (ordinal - 1))
        return full_s * (0.5 + 0.5 * self._chance.random())


def retry_after(headers: Mapping[str, str], wall_s: float) -> float | None:
    """Seconds that an answer asks to wait; ``retry-after-ms`` is OpenAI's finer spelling and goes first."""
    milliseconds = parse_retry_after(headers.get("retry-after-ms", ""), wall_s)
    if milliseconds is not None:
        return milliseconds / 1000
    return parse_retry_after(headers.get("retry-after", ""), wall_s)
