"""Members of answers that mean the same in every dialect, under the names that each has for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

MODEL = frozenset({"model", "modelVersion"})
"""Who answered."""
USAGE = frozenset({"usage", "usageMetadata"})
"""Objects of token counts."""
COUNTS = frozenset({"prompt_eval_count", "eval_count"})
"""Token counts that stand by themselves (Ollama)."""
ARGUMENTS = frozenset({"arguments", "partial_json"})
"""The arguments of a tool call, as text that is JSON."""


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a JSON value, outer ones first."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from walk(member)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def replace_members(payload: Any, names: frozenset[str], change: Callable[[Any], Any]) -> bool:
    """Give every member with one of these names what ``change`` makes of it; whether any is another now."""
    changed = False
    for fields in list(walk(payload)):
        for name in [name for name in names if name in fields]:
            before = fields[name]
            after = change(before)
            if after != before or type(after) is not type(before):
                fields[name] = after
                changed = True
    return changed


def drop_members(payload: Any, names: frozenset[str]) -> bool:
    """Take every member with one of these names away that says something (is not null); whether there was one."""
    changed = False
    for fields in list(walk(payload)):
        for name in [name for name in names if name in fields]:
            if fields[name] is not None:
                del fields[name]
                changed = True
    return changed
