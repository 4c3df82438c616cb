"""The shape of JSON: which members there are, at which path, and of which types. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Shape = dict[str, set[str]]
"""The JSON types that were seen at a path, such as ``choices[].delta.content``."""
DEPTH = 64
"""What is nested deeper is not looked at."""
_NAMES = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}


@dataclass(frozen=True, slots=True)
class Clash:
    """A member that has one type here and another there."""

    path: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Difference:
    """``more``: only the live answer has it, with its type; ``less``: only the lab's; ``wrong``: of another type."""

    alike: int
    more: dict[str, str]
    less: dict[str, str]
    wrong: list[Clash]


def shape_of(documents: Iterable[str | bytes]) -> Shape:
    """The shape of all these together; those that name their ``type`` are kept apart by it."""
    shape: Shape = {}
    for document in documents:
        value = json.loads(document)
        kind = value.get("type") if isinstance(value, dict) else None
        _note(shape, kind if isinstance(kind, str) else "", value, DEPTH)
    return shape


def compare(ours: Shape, theirs: Shape) -> Difference:
    """``null`` goes with every type: what may be absent is written so."""
    both = sorted(ours.keys() & theirs.keys())
    wrong = [Clash(path, _words(ours[path]), _words(theirs[path])) for path in both if _clash(ours[path], theirs[path])]
    return Difference(len(both) - len(wrong), _only(theirs, ours), _only(ours, theirs), wrong)


def _note(shape: Shape, path: str, value: Any, depth: int) -> None:
    shape.setdefault(path, set()).add(_NAMES.get(type(value), "null"))
    if depth == 0:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            _note(shape, f"{path}.{name}" if path else name, inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _note(shape, f"{path}[]", inner, depth - 1)


def _clash(ours: set[str], theirs: set[str]) -> bool:
    ours, theirs = ours - {"null"}, theirs - {"null"}
    return bool(ours and theirs) and not ours & theirs


def _only(these: Shape, those: Shape) -> dict[str, str]:
    """Without what is inside of a member that is missing itself."""
    missing = these.keys() - those.keys()
    return {path: _words(these[path]) for path in sorted(missing) if not _outer(path) & missing}


def _outer(path: str) -> set[str]:
    return {path[:end] for end, character in enumerate(path) if character in ".[" and end}


def _words(types: set[str]) -> str:
    return " or ".join(sorted(types))
