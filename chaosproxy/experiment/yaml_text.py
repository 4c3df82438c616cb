"""Strict YAML: every scalar stays the text that stands in the file, and everything keeps its place.

``on``, ``no``, ``null``, ``1:30`` and ``1e3`` mean themselves; a repeated key, a tag, a merge key or a second
document is a problem. The fields of the models decide about types, so the traps of YAML 1.1 have nothing to bite.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from chaosproxy.errors import InvalidExperiment, Problem

MAX_CHARACTERS = 256 * 1024
"""Size of a file."""
MAX_NODES = 5_000
"""Values in a file, after aliases are expanded (a "billion laughs" file ends here)."""
MAX_DEPTH = 24
"""Nesting of mappings and lists."""

_SHOWN = 60
"""Characters of a tag or an anchor that a message repeats."""

Path: TypeAlias = tuple[str | int, ...]
Plain: TypeAlias = "str | list[Plain] | dict[str, Plain]"
"""A value of a file: text, a list or a mapping. There is nothing else."""


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place; ``keys`` are the places of a mapping's keys. ``weight`` counts the values inside."""

    place: Place
    value: str | tuple[Node, ...] | dict[str, Node]
    keys: dict[str, Place]
    weight: int = 1

    def plain(self) -> Plain:
        """The value without places."""
        match self.value:
            case str():
                return self.value
            case tuple():
                return [node.plain() for node in self.value]
        return {key: node.plain() for key, node in self.value.items()}


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read: what it says, and where. ``problems`` are those that still let the rest be understood.

    ``written_at`` are the paths in the file of entries that something else there stands for.
    """

    source: str
    root: Node
    problems: tuple[Problem, ...] = ()
    written_at: Mapping[Path, Path] = field(default_factory=dict)

    def plain(self) -> dict[str, Plain]:
        """What the file says, without places."""
        plain = self.root.plain()
        return plain if isinstance(plain, dict) else {}

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        """A problem with the value at ``path``, or with its key; if it is absent, with the nearest parent.

        A short form (``- success >= 95%``) has none of the keys of the long one: they are left out of the path.
        """
        path = self._written(path)
        key, value = self._places(path)
        place = key if at_key else value
        shown = (*self.written_at.get(path[:2], path[:2]), *path[2:])
        return Problem(self.source, place.line, place.column, dotted(shown), message)

    def _written(self, path: Path) -> Path:
        node: Node | None = self.root
        for length, step in enumerate(path):
            if node is None or isinstance(node.value, str):
                return path if node is None else path[:length]
            node = _entry(node, step)
        return path

    def _places(self, path: Path) -> tuple[Place, Place]:
        """Where the entry at ``path`` begins (the key of a mapping, the item of a list), and where its value does."""
        node, key = self.root, self.root.place
        for step in path:
            inside = _entry(node, step)
            if inside is None:
                return key, key
            key = node.keys[step] if isinstance(step, str) else inside.place
            node = inside
        return key, node.place


def _entry(node: Node, step: str | int) -> Node | None:
    if isinstance(node.value, dict) and isinstance(step, str):
        return node.value.get(step)
    if isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    return None


def value_at(value: Plain, path: Path) -> Plain | None:
    """What stands at ``path``, or None."""
    here: Plain | None = value
    for step in path:
        if isinstance(here, dict) and isinstance(step, str):
            here = here.get(step)
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
        else:
            return None
    return here


def dotted(path: Path) -> str:
    """``faults[1].do.ech``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def read_yaml(text: str, source: str) -> Document:
    """Read a file whose top is a mapping. Raises InvalidExperiment when the rest cannot be understood."""
    if len(text) > MAX_CHARACTERS:
        raise _broken(source, None, f"the file is longer than {MAX_CHARACTERS} characters (MAX_CHARACTERS)")
    composer = _Composer(source)
    try:
        root = composer.compose(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        raise _broken(
            source, _place(error.problem_mark or error.context_mark), f"not valid YAML: {_words(error)}"
        ) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, error.position - before.rfind("\n"))
        raise _broken(source, place, f"a character that no YAML file may hold: U+{_code(error):04X}") from None
    except (ValueError, OverflowError):  # PyYAML turns "\UFFFFFFFF" into a character without looking
        raise _broken(source, None, "an escape or a %YAML line with a number that is too large") from None
    if root is None:
        raise _broken(source, None, "the file is empty")
    if not isinstance(root.value, dict):
        raise _broken(source, root.place, "a file is a mapping at its top: key: value")
    return Document(source, root, tuple(composer.problems))


def _broken(source: str, place: Place | None, message: str, path: Path = ()) -> InvalidExperiment:
    line, column = (0, 0) if place is None else (place.line, place.column)
    return InvalidExperiment([Problem(source, line, column, dotted(path), message)])


class _Composer:
    """Builds nodes from PyYAML's events."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._anchors: dict[str | None, Node | None] = {}
        self._anchored_at: dict[str, Place] = {}
        self._nodes = 0
        self.problems: list[Problem] = []

    def compose(self, events: Iterator[yaml.Event]) -> Node | None:
        """The root of the only document; None for a file without any."""
        root: Node | None = None
        for event in events:
            match event:
                case yaml.DocumentStartEvent() if root is not None:
                    self._refuse(_place(event.start_mark), (), "a second document begins here; a file holds one")
                    return root
                case yaml.NodeEvent():
                    root = self._node(event, events, ())
        return root

    def _refuse(self, place: Place, path: Path, message: str) -> None:
        self.problems.append(Problem(self._source, place.line, place.column, dotted(path), message))

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> Node:
        place = _place(event.start_mark)
        if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            return self._alias(event, place, path)
        self._count(1, place, path)
        if event.tag is not None:
            self._refuse(
                place, path, f"a tag ({event.tag[:_SHOWN]}) is not allowed; the key decides what the value means"
            )
        if event.anchor is not None:
            self._name(event.anchor, place, path)
        node = self._inside(event, events, path, place)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _name(self, anchor: str, place: Place, path: Path) -> None:
        first = self._anchored_at.setdefault(anchor, place)
        if first is not place:
            words = f"the anchor &{anchor[:_SHOWN]} stands in line {first.line} already; an alias would mean this one"
            self._refuse(place, path, words)
        self._anchors[anchor] = None

    def _inside(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path, place: Place) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            if _SURROGATE.search(event.value):
                self._refuse(place, path, "an escape that is only half a character (a lone surrogate)")
            return Node(place, event.value, {})
        if len(path) >= MAX_DEPTH:
            raise _broken(self._source, place, f"nested deeper than {MAX_DEPTH} levels (MAX_DEPTH)", path)
        build = self._mapping if isinstance(event, yaml.MappingStartEvent) else self._list
        return build(events, path, place)

    def _list(self, events: Iterator[yaml.Event], path: Path, place: Place) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, (*path, len(items))))
        return Node(place, tuple(items), {}, 1 + sum(item.weight for item in items))

    def _mapping(self, events: Iterator[yaml.Event], path: Path, place: Place) -> Node:
        values: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key_node = self._node(event, events, (*path, "?"))
            key = key_node.value if isinstance(key_node.value, str) else "?"
            value = self._node(next(events), events, (*path, key))
            if self._fits(key_node, key, keys, path):
                keys[key], values[key] = key_node.place, value
        return Node(place, values, keys, 1 + sum(value.weight for value in values.values()))

    def _fits(self, node: Node, key: str, keys: dict[str, Place], path: Path) -> bool:
        if not isinstance(node.value, str):
            self._refuse(node.place, path, "a key must be plain text (a { or [ as a value wants quotes)")
        elif key == "<<":
            self._refuse(
                node.place, path, "merge keys (<<) are not allowed; repeat the keys or use an alias as a value"
            )
        elif key in keys:
            self._refuse(node.place, (*path, key), f"repeated key; it stands in line {keys[key].line} already")
        else:
            return True
        return False

    def _alias(self, event: yaml.Event, place: Place, path: Path) -> Node:
        anchor = getattr(event, "anchor", None)
        node = self._anchors.get(anchor)
        if node is None:
            why = "stands inside what it names" if anchor in self._anchors else "has no anchor before it"
            raise _broken(self._source, place, f"the alias *{anchor} {why}", path)
        self._count(node.weight, place, path)
        return node

    def _count(self, weight: int, place: Place, path: Path) -> None:
        self._nodes += weight
        if self._nodes > MAX_NODES:
            raise _broken(self._source, place, f"more than {MAX_NODES} values, aliases expanded (MAX_NODES)", path)


_SURROGATE = re.compile("[\ud800-\udfff]")

_WORDS: tuple[tuple[str, Callable[[yaml.MarkedYAMLError], str]], ...] = (
    (r"'\\t' that cannot start", lambda _: "a tab cannot indent; use spaces"),
    (r"mapping values are not", lambda _: "a ': ' that does not fit here: quote the text, or mend the indentation"),
    (r"could not find expected ':'", lambda _: "a key without its ': '"),
    (r"cannot start any token", lambda e: f"{_first_quoted(e)} cannot begin a value; quote it"),
    (r"end of stream|<stream end>", lambda _: "the file ends inside a quoted text, a list or a mapping"),
    (r"did not find expected|expected <block end>|expected ','", lambda _: "wrong indentation, or a bracket too few"),
)


def _words(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's error in one sentence."""
    said = error.problem or error.context or "not YAML"
    words = next((say(error) for pattern, say in _WORDS if re.search(pattern, said)), said)
    began, mark = error.context_mark, error.problem_mark
    if began is not None and mark is not None and began.line != mark.line:
        words += f" (it began in line {began.line + 1})"
    return words


def _first_quoted(error: yaml.MarkedYAMLError) -> str:
    found = re.search(r"'[^']+'|\"[^\"]+\"", error.problem or "")
    return found[0] if found else "this character"


def _code(error: yaml.reader.ReaderError) -> int:
    return error.character if isinstance(error.character, int) else ord(error.character)


def _place(mark: Any) -> Place:
    """PyYAML counts from 0."""
    return Place(mark.line + 1, mark.column + 1)
