"""Values that a run tries in the place of those in its file: ``faults.part.lasts=1s,5s,15s``.

A path names keys, and the items of a list by their ids or their numbers (``hypothesis[0].min_samples``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from chaosproxy.errors import BadValue, InvalidExperiment, Problem
from chaosproxy.experiment.model import name_faults
from chaosproxy.experiment.references import hint
from chaosproxy.experiment.yaml_text import Document, Node, Place

MAX_CELLS = 1000
"""As many combinations one grid may have."""
FLAG = "--sweep"
_INDEX = re.compile(r"(.*)\[(\d+)\]")
_NOWHERE = Place(0, 0)


@dataclass(frozen=True, slots=True)
class Sweep:
    """One path and the values that it takes, in the order given."""

    path: str
    values: tuple[str, ...]


def parse_sweep(text: str) -> Sweep:
    """``PATH=VALUE,VALUE...``. Raises BadValue."""
    path, equals, given = text.partition("=")
    values = tuple(value.strip() for value in given.split(","))
    if not (path.strip() and equals and all(values)):
        raise BadValue(f"expected PATH=VALUE,VALUE... such as faults.part.lasts=1s,5s, got {text!r}")
    if twice := [value for value in values if values.count(value) > 1]:
        raise BadValue(f"{path}: {twice[0]} is given twice")
    return Sweep(path.strip(), values)


def grid(sweeps: Sequence[Sweep]) -> list[dict[str, str]]:
    """Every combination, the last path changing fastest; one empty combination without sweeps. Raises BadValue."""
    paths = [sweep.path for sweep in sweeps]
    if twice := [path for path in paths if paths.count(path) > 1]:
        raise BadValue(f"{twice[0]} is swept twice; put all its values into one list")
    cells = [dict(zip(paths, values, strict=True)) for values in product(*(sweep.values for sweep in sweeps))]
    if len(cells) > MAX_CELLS:
        raise BadValue(f"{len(cells)} combinations are more than {MAX_CELLS} (MAX_CELLS)")
    return cells


def with_settings(document: Document, settings: Mapping[str, str]) -> Document:
    """The document with other values at the paths of ``settings``.

    Keys that the file leaves to their defaults are added. Raises InvalidExperiment with every path that leads nowhere.
    """
    problems: list[Problem] = []
    root = document.root
    for path, value in settings.items():
        try:
            root = _put(root, _steps(path), value, ())
        except BadValue as error:
            problems.append(Problem(document.source, 0, 0, f"{FLAG} {path}", str(error)))
    if problems:
        raise InvalidExperiment(problems)
    return replace(document, root=root)


def named_after(problem: Problem, settings: Mapping[str, str]) -> Problem:
    """The same problem, said of the flag where the value came from there and so has no line in the file."""
    if problem.line or not settings or problem.path.startswith(FLAG):
        return problem
    flags = " ".join(f"{FLAG} {path}={value}" for path, value in settings.items())
    return replace(problem, source=f"{problem.source} with {flags}")


def _steps(path: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    for word in path.split("."):
        numbers: list[int] = []
        while match := _INDEX.fullmatch(word):
            word, numbers = match[1], [int(match[2]), *numbers]  # noqa: PLW2901 - one step less at a time
        steps += [*([word] if word else []), *numbers]
    if "" in path.split("."):
        raise BadValue("expected names with a dot between two of them")
    return tuple(steps)


def _put(node: Node, steps: tuple[str | int, ...], value: str, before: tuple[str | int, ...]) -> Node:
    """``node`` with ``value`` in it; a name may have dots of its own, so the longest one that exists is taken."""
    if not steps:
        return Node(_NOWHERE, value, {})
    match node.value:
        case dict() as entries:
            key, used = _key(entries, steps, before)
            inside = _put(entries.get(key, Node(_NOWHERE, {}, {})), steps[used:], value, (*before, key))
            return replace(node, value={**entries, key: inside}, keys={key: _NOWHERE, **node.keys})
        case tuple() as items:
            index, used = _item(items, steps, before)
            inside = _put(items[index], steps[used:], value, (*before, steps[0]))
            return replace(node, value=(*items[:index], inside, *items[index + 1 :]))
    raise BadValue(f"{_words(before)} is one value ({node.value!r}), so there is no {_words(steps)} inside")


def _key(entries: Mapping[str, Node], steps: tuple[str | int, ...], before: tuple[str | int, ...]) -> tuple[str, int]:
    first = steps[0]
    if isinstance(first, int):
        raise BadValue(f"{_words(before)} is a mapping, not a list: it has no [{first}]")
    for used, name in _names(steps):
        if name in entries:
            return name, used
    if before == ("vars",):  # a variable that nobody reads would change nothing
        raise BadValue(f"the file has no such variable{hint(first, entries)}")
    return first, 1


def _item(items: tuple[Node, ...], steps: tuple[str | int, ...], before: tuple[str | int, ...]) -> tuple[int, int]:
    first = steps[0]
    if isinstance(first, int):
        if first >= len(items):
            raise BadValue(f"{_words(before)} has {len(items)} entries, so there is no [{first}]")
        return first, 1
    ids = list(_ids(items, before))
    for used, name in _names(steps):
        if name in ids:
            return ids.index(name), used
    known = ", ".join(filter(None, ids)) or f"no ids; write {_words(before)}[0]"
    raise BadValue(f"no entry of {_words(before)} has the id {first!r}{hint(first, filter(None, ids))}; it has {known}")


def _ids(items: Iterable[Node], before: tuple[str | int, ...]) -> Iterator[str]:
    """The id of each item, empty for one without."""
    plain = [item.plain() for item in items]
    for item in name_faults(plain) if before == ("faults",) else plain:
        found = item.get("id") if isinstance(item, dict) else None
        yield found if isinstance(found, str) else ""


def _names(steps: tuple[str | int, ...]) -> Iterator[tuple[int, str]]:
    """What the first steps may mean as one name, the longest first, and how many these are."""
    length = next((n for n, step in enumerate(steps) if isinstance(step, int)), len(steps))
    for used in range(length, 0, -1):
        yield used, ".".join(map(str, steps[:used]))


def _words(steps: Sequence[str | int]) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the file"
