"""Text of strangers (models, error bodies) for people: what would steer a terminal or turn the line is shown."""

from __future__ import annotations

import re
from typing import Any

from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.observation import State

_STEERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|[\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""Control characters and marks of direction as ``\x1b`` and ``\u202e``; line ends and tabs stay."""
    return _STEERS.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def visible_verdict(verdict: Verdict) -> Verdict:
    """The same with every text made visible."""
    return Verdict.model_validate(_all_visible(verdict.model_dump()))


def _all_visible(value: Any) -> Any:
    match value:
        case State():
            return value
        case str():
            return visible(value)
        case dict():
            return {_all_visible(key): _all_visible(item) for key, item in value.items()}
        case tuple() | list():
            return tuple(map(_all_visible, value))
    return value
