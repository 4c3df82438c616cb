"""How long an answer asks its client to wait."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def retry_after_s(fields: Mapping[str, str], wall: float) -> float | None:
    """Seconds of ``retry-after-ms`` or ``retry-after`` (a number or an HTTP date); None when absent or not readable.

    ``fields`` are header fields by their names in lower case; ``wall`` is seconds since the epoch, for a date beside
    which the answer has no Date of its own.
    """
    milliseconds = _number(fields.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = fields.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    then, now = _date(text), _date(fields.get("date", ""))
    return None if then is None else max(0.0, then - (wall if now is None else now))


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):  # no date, or one of a year that no date can have
        return None
