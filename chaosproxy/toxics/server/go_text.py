"""Writing what Go would write: errors, and JSON with numbers of single precision."""

from __future__ import annotations

import json
import re
import struct
from decimal import Decimal
from typing import Any

from chaosproxy.errors import ChaosError


class GoError(ChaosError):
    """An error of the API: Toxiproxy's words and its status."""

    def __init__(self, message: str, status: int) -> None:
        self.message = message
        self.status = status
        super().__init__(message)


PROXY_NOT_FOUND = GoError("proxy not found", 404)
TOXIC_NOT_FOUND = GoError("toxic not found", 404)
PROXY_EXISTS = GoError("proxy already exists", 409)
TOXIC_EXISTS = GoError("toxic already exists", 409)
INVALID_STREAM = GoError("stream was invalid, can be either upstream or downstream", 400)
INVALID_TYPE = GoError("invalid toxic type", 400)


def bad_body(words: object) -> GoError:
    """A body that cannot be read."""
    return GoError(f"bad request body: {words}", 400)


def missing(name: str) -> GoError:
    """A required key that is absent or empty."""
    return GoError(f"missing required field: {name}", 400)


class Single(float):
    """A number that is written with the digits of single precision."""


def marshal(value: Any) -> str:
    """JSON as Go's Marshal writes it: no spaces, keys as they stand, ``<``, ``>`` and ``&`` escaped."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{marshal(key)}:{marshal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(marshal, value)) + "]"
    if isinstance(value, Single):
        return _single(value)
    text = json.dumps(value, ensure_ascii=False)
    return _ESCAPED.sub(_escape, text) if isinstance(value, str) else text


_ESCAPED = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    return "\\ufffd" if "\ud800" <= char <= "\udfff" else f"\\u{ord(char):04x}"


def _single(value: float) -> str:
    """The fewest digits that give the same number of single precision back; for 0 to 1."""
    packed = struct.pack(">f", value)
    shorter = (f"{value:.{digits}g}" for digits in range(1, 10))
    text = next(text for text in shorter if struct.pack(">f", float(text)) == packed)
    if value == 0 or packed >= struct.pack(">f", 1e-6):  # big-endian, positive: as bytes in the order of numbers
        return format(Decimal(text), "f")
    mantissa, _, power = text.partition("e-")
    return f"{mantissa}e-{power.lstrip('0')}"
