"""Which values a setting of a fault may be tried with, read from the fault's own model.

A choice tries each of its values, an example is what its author thought worth showing, a number lies at its bounds and
around its default. Nothing here knows a fault by its name, so a user's own faults are tried like ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from typing import Any

from pydantic import ValidationError

from chaosproxy.events import Exchange
from chaosproxy.faults import REGISTRY
from chaosproxy.faults.base import Fault
from chaosproxy.faults.where import Where

TOKENS_MAX = 3
"""Places after later tokens are like the one after this, and cost the search."""
_PLACES = (
    *(f"token:{count}" for count in range(1, TOKENS_MAX + 1)),
    "token:0",
    "event:0",
    "first_event",
    "before_terminal",
    "after_terminal",
    "byte:0",
    "byte:100",
    "percent:50",
)
_SPANS = ("1s", "100ms", "30s", "5m")
"""Within any timeout, hardly noticed, beyond what is usual, beyond what anybody waits."""
_COUNTS = (1, 5, 100)
_BOUND_MAX = 1000
"""A bound beyond it says what is possible, and not what is worth the time."""
_STATUS_MAX = 599
_STATUSES = (429, 500, 401)
"""Tried as well where any error status may stand: retried as a limit, retried, and never retried."""
_WHERE_EXAMPLE, _SPAN_PATTERN, _SHARE_PATTERN = "token:5", r"(ms|s|m|h)", "%"


def fault_classes(dialect: str) -> tuple[type[Fault], ...]:
    """Those of the catalogue, and of plugins, that can act on a streamed request of this dialect."""
    request = Exchange("x", "primary", 1, "POST", "/", dialect, "m", None if dialect == "raw" else True)
    return tuple(kind for kind in REGISTRY if not kind().on_messages and kind().lacks(request) is None)


@cache
def settings_of(kind: type[Fault]) -> dict[str, tuple[Any, ...]]:
    """By setting, as users write it: values other than its default, the simplest first; those without any left out.

    A place has no default here: which one is simplest depends on the answer, and the first after ``token:0`` is.
    """
    schema = kind.model_json_schema(by_alias=True, mode="validation").get("properties", {})
    defaults = kind().model_dump(mode="json", by_alias=True)
    found = {}
    for name, setting in schema.items():
        values = dict.fromkeys(map(_hashable, _values(setting)))
        allowed = tuple(
            value for value in map(_plain, values) if value != defaults[name] and _may_be(kind, name, value)
        )
        if allowed:
            found[name] = allowed
    return found


def _values(schema: dict[str, Any]) -> Iterator[Any]:
    if "anyOf" in schema:
        yield from chain.from_iterable(map(_values, schema["anyOf"]))
        yield from schema.get("examples", ())
    elif "enum" in schema:
        yield from schema["enum"]
    elif schema.get("type") == "boolean":
        yield from (False, True)
    elif schema.get("type") in ("integer", "number"):
        yield from schema.get("examples", ())
        yield from _numbers(schema)
    elif schema.get("type") == "array":
        yield []
        yield from ([value] for value in _values(schema["items"]))
    elif schema.get("type") == "object":
        names = schema.get("propertyNames", {}).get("examples", ())
        yield from ({name: "renamed"} for name in names)
    else:
        yield from _texts(schema)


def _texts(schema: dict[str, Any]) -> Iterable[str]:
    examples, pattern = schema.get("examples", []), schema.get("pattern", "")
    if _WHERE_EXAMPLE in examples:
        return _PLACES
    if _SPAN_PATTERN in pattern:
        return ("forever", *_SPANS) if "forever" in pattern else _SPANS
    return () if pattern.endswith(f"{_SHARE_PATTERN}$") else examples


def _numbers(schema: dict[str, Any]) -> Iterator[float]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high == _STATUS_MAX:
        yield from _STATUSES
        return
    yield from (bound for bound in (low, high) if bound is not None and bound <= _BOUND_MAX)
    yield from _COUNTS
    if low is None and "exclusiveMinimum" not in schema:
        yield from (-count for count in _COUNTS)


def _may_be(kind: type[Fault], name: str, value: Any) -> bool:
    """Whether the model takes it, and our own proxy can apply it."""
    try:
        return not kind.model_validate({name: value}).needs_server
    except ValidationError as error:
        return any(len(each["loc"]) == 0 for each in error.errors())  # wrong only together with the other settings


def _hashable(value: Any) -> Any:
    match value:
        case dict():
            return ("a mapping", *value.items())
        case list():
            return ("a list", *value)
    return value


def _plain(value: Any) -> Any:
    match value:
        case ("a mapping", *pairs):
            return dict(pairs)
        case ("a list", *items):
            return items
    return value


@cache
def is_place(kind: type[Fault], name: str) -> bool:
    """Whether a setting says where in the answer the fault acts, and has a default."""
    return any(
        isinstance(field.default, Where) and name in (key, field.alias) for key, field in kind.model_fields.items()
    )
