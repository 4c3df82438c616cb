"""Keys of the public file format that this release does not honour. They are refused, never ignored."""

from __future__ import annotations

from chaosproxy.errors import Problem
from chaosproxy.experiment.references import Filled
from chaosproxy.experiment.yaml_text import Document, Path, Plain

_KEYS: tuple[tuple[str, ...], ...] = (("faults", "*", "ramp"),)
"""``*`` is any item of a list."""

_VALUES: tuple[tuple[tuple[str, ...], frozenset[str]], ...] = (
    (("load", "arrival", "model"), frozenset({"closed"})),
    (("load", "*", "arrival", "model"), frozenset({"closed"})),
    (("load", "oracle"), frozenset({"regex"})),
    (("load", "*", "oracle"), frozenset({"regex"})),
    (("load", "oracle", "regex"), frozenset()),
    (("load", "*", "oracle", "regex"), frozenset()),
)
"""Values that are refused, of keys that exist; no values: the key itself, whatever it holds."""


def refuse_what_does_not_exist_yet(document: Document, filled: Filled) -> list[Problem]:
    """One problem for each such key or value; their places are marked as failed, so nothing is said twice."""
    problems = []
    patterns = [(key, frozenset[str]()) for key in _KEYS] + list(_VALUES)
    for pattern, values in patterns:
        for path, value in _places(filled.value, pattern, ()):
            if not values or (isinstance(value, str) and value in values):
                what = f"{value} does not exist yet" if values else f"{path[-1]} does not exist yet"
                problems.append(document.problem(path, what, at_key=not values))
                filled.failed.add(path)
    return problems


def _places(value: Plain, pattern: tuple[str, ...], path: Path) -> list[tuple[Path, Plain]]:
    if not pattern:
        return [(path, value)]
    step, rest = pattern[0], pattern[1:]
    if isinstance(value, dict) and step in value:
        return _places(value[step], rest, (*path, step))
    if isinstance(value, list) and step == "*":
        return [place for index, item in enumerate(value) for place in _places(item, rest, (*path, index))]
    return []
