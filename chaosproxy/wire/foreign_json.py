"""JSON that others wrote: what is not as expected is absent, never an exception.

``fields(fields(value).get("error")).get("message")`` is safe for any value, so a reader needs no checks of its own.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec.json import decode


def parse(text: str | bytes) -> Any:
    """The value, or None when it is not JSON (or nests too deeply to be read).

    msgspec is three times faster, but refuses what json reads: NaN, floats that overflow, halves of surrogate pairs.
    """
    try:
        return decode(text)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(text.decode() if isinstance(text, bytes) else text)
    except (ValueError, RecursionError):
        return None


def dump(value: Any) -> str:
    """Compact JSON, characters as they are; only a lone surrogate, which UTF-8 cannot carry, becomes its escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()


def rewritten(value: Any) -> str:
    """A value that ``parse`` gave as compact JSON, or nothing when it nests too deeply to be written."""
    try:
        return dump(value)
    except RecursionError:
        return ""


def fields(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def word(value: Any) -> str | None:
    """The value if it is a string."""
    return value if isinstance(value, str) else None


def count(value: Any) -> int | None:
    """The value if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
