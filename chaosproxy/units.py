"""Quantities as people write them (``250ms``, ``20%``, ``5/s``) and as code keeps them (seconds, 0..1, per second).

Text needs its unit; a Python number is taken as it is. The annotated types at the end are the only way in which models
declare such values, so messages and JSON Schema are the same everywhere.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from chaosproxy.errors import BadValue

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(rf"{_NUMBER}\s*(ms|s|m|h)")
_SHARE = re.compile(rf"{_NUMBER}\s*%")
_RATE = re.compile(rf"{_NUMBER}\s*/\s*(s|m)")


def parse_duration(text: str) -> float:
    """Seconds of ``250ms``, ``2s``, ``1.5m``, ``1h``. Raises BadValue when the unit is missing or unknown."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise BadValue(f"expected a time with its unit, such as 250ms, 2s or 3m, got {text!r}")
    return float(match[1]) * _DURATION_UNITS[match[2]]


def parse_hold(text: str) -> float:
    """Seconds of a duration, or infinity for ``forever``. Raises BadValue."""
    return float("inf") if text == "forever" else parse_duration(text)


def parse_share(text: str) -> float:
    """0..1 of ``20%``, the number nearest to it. Raises BadValue without the percent sign or above 100 %."""
    match = _SHARE.fullmatch(text.strip())
    if match is None:
        raise BadValue(f"expected a share with its percent sign, such as 20%, got {text!r}")
    if float(match[1]) > 100:
        raise BadValue(f"a share is at most 100%, got {text!r}")
    return float(Decimal(match[1]) / 100)


def parse_rate(text: str) -> float:
    """Events per second of ``20/s`` or ``90/m``. Raises BadValue when the unit is missing."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise BadValue(f"expected a rate with its unit, such as 20/s or 90/m, got {text!r}")
    return float(match[1]) / (60 if match[2] == "m" else 1)


def format_duration(seconds: float) -> str:
    """The shortest text that :func:`parse_duration` reads back as the same value, such as ``250ms`` or ``2s``."""
    if seconds == 0 or seconds >= 1:
        return f"{seconds:.10g}s"
    return f"{seconds * 1000:.10g}ms"


def format_hold(seconds: float) -> str:
    """The inverse of :func:`parse_hold`."""
    return "forever" if seconds == float("inf") else format_duration(seconds)


def format_share(share: float) -> str:
    """``0.2`` as ``20%``."""
    return f"{share * 100:.10g}%"


def format_rate(per_second: float) -> str:
    """``20.0`` as ``20/s``."""
    return f"{per_second:.10g}/s"


def parse_flag(value: Any) -> Any:
    """``true`` and ``false`` as booleans; ``on``, ``yes`` and their like stay what they are: wrong."""
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, str):
        raise BadValue(f"expected true or false, got {value!r}")
    return value


def split_list(value: Any) -> Any:
    """``a,b`` as ``["a", "b"]`` and an empty text as no items, for lists on a command line."""
    if not isinstance(value, str):
        return value
    return [item.strip() for item in value.split(",")] if value.strip() else []


def _reader(parse: Any) -> Any:
    return lambda value: parse(value) if isinstance(value, str) else value


Duration = Annotated[
    float,
    BeforeValidator(_reader(parse_duration)),
    Field(ge=0, allow_inf_nan=False),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h)$", "examples": ["250ms", "2s"]}),
]
"""A time span; seconds in code."""

Hold = Annotated[
    float,
    BeforeValidator(_reader(parse_hold)),
    Field(ge=0),
    PlainSerializer(format_hold, when_used="json"),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\d+(\.\d+)?\s*(ms|s|m|h)|forever)$", "examples": ["30s", "forever"]}
    ),
]
"""A time span, or ``forever``: as long as the fault's lease; seconds in code, infinity for forever."""

Share = Annotated[
    float,
    BeforeValidator(_reader(parse_share)),
    Field(ge=0, le=1),
    PlainSerializer(format_share, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$", "examples": ["20%"]}),
]
"""A part of a whole; 0..1 in code."""

Rate = Annotated[
    float,
    BeforeValidator(_reader(parse_rate)),
    Field(gt=0, allow_inf_nan=False),
    PlainSerializer(format_rate, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*/\s*(s|m)$", "examples": ["20/s"]}),
]
"""Events per second in code."""

Flag = Annotated[bool, BeforeValidator(parse_flag)]
"""A boolean that only ``true`` and ``false`` can spell."""
