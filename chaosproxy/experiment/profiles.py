"""Profiles: named lists of faults that are used together, in an experiment file or on the command line.

    faults:
      - {use: brownout, target: primary, at: 5s, lasts: 20s, set: {slow: {share: 80%, do: {mean: 5s}}}}

What stands beside ``use`` holds for all faults of the profile; ``set`` changes single ones, by their ids.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from chaosproxy.errors import BadValue, InvalidExperiment, Problem
from chaosproxy.experiment.problems import explain
from chaosproxy.experiment.proxies import ListenerFault
from chaosproxy.experiment.references import Filled, hint
from chaosproxy.experiment.section import FaultId, Section
from chaosproxy.experiment.yaml_text import Document, Node, Path, Place, read_yaml
from chaosproxy.plan.flat import COMMON

_OF_THE_USE = ("use", "set", "id")


class ProfileFault(ListenerFault):
    """A fault of a profile."""

    id: FaultId
    """Its name in the profile."""


class Profile(Section):
    """A file of a profile."""

    profile: Literal["v1"]
    """The version of this format."""
    summary: str
    """What happens, in a sentence."""
    imitates: tuple[str, ...] = ()
    """Real incidents: ``owner/repo#issue: what happened``."""
    faults: Annotated[tuple[ProfileFault, ...], Field(min_length=1)]
    """What is broken, all at the same time."""


def parse_profile(text: str, source: str) -> Profile:
    """Read a profile. Raises InvalidExperiment with every mistake."""
    document = read_yaml(text, source)
    try:
        return Profile.model_validate(document.plain())
    except ValidationError as error:
        raise InvalidExperiment(explain(error, Profile, document, Filled(document.plain(), {}))) from None


# in an experiment file ----------------------------------------------------------------------------------------------


def with_profiles(document: Document, profiles: Mapping[str, str]) -> Document:
    """The document with the faults of profiles in the place of each ``use``; ``profiles`` are texts by name."""
    root = document.root.value
    faults = root.get("faults") if isinstance(root, dict) else None
    if not isinstance(root, dict) or faults is None or not isinstance(faults.value, tuple):
        return document
    if not any(_uses(node) for node in faults.value):
        return document
    entries: list[Node] = []
    written_at: dict[Path, Path] = {}
    problems: list[Problem] = []
    for index, node in enumerate(faults.value):
        written: Path = ("faults", index)
        for entry in _Use(document, node, written, profiles, problems).entries() if _uses(node) else (node,):
            written_at["faults", len(entries)] = written
            entries.append(entry)
    changed = {**root, "faults": replace(faults, value=tuple(entries))}
    return replace(
        document,
        root=replace(document.root, value=changed),
        problems=(*document.problems, *problems),
        written_at=written_at,
    )


def _uses(node: Node) -> bool:
    return isinstance(node.value, dict) and "use" in node.value


@dataclass(frozen=True, slots=True)
class _Use:
    """One entry with ``use``."""

    document: Document
    node: Node
    path: Path
    profiles: Mapping[str, str]
    problems: list[Problem]

    def entries(self) -> Iterator[Node]:
        """The faults that it stands for."""
        given = self.node.value
        if not isinstance(given, dict):
            return
        name = given["use"].plain()
        if not isinstance(name, str) or name not in self.profiles:
            known = ", ".join(self.profiles) or "none"
            self._problem("use", f"no profile is called {name!r}{hint(str(name), self.profiles)}; known: {known}")
            return
        if "do" in given:
            self._problem("do", "the faults are those of the profile; change one with set: {ID: {do: {...}}}")
            return
        prefix = given["id"].plain() if "id" in given else name.replace("_", "-")
        common = _without(self.node, *_OF_THE_USE)
        changes = self._changes()
        faults = _faults_of(self.profiles[name], name, given["use"].place)
        if unknown := [key for key in changes if key not in faults]:
            words = f"{name} has no fault {unknown[0]!r}{hint(unknown[0], faults)}; it has {', '.join(faults)}"
            self._problem("set", words)
            return
        for fault_id, fault in faults.items():
            merged = _merged(fault, common)
            merged = _merged(merged, changes[fault_id]) if fault_id in changes else merged
            yield _with_id(merged, f"{prefix}-{fault_id}", given["use"].place)

    def _changes(self) -> dict[str, Node]:
        changes = self.node.value.get("set") if isinstance(self.node.value, dict) else None
        if changes is None:
            return {}
        if not isinstance(changes.value, dict):
            self._problem("set", "expected a mapping from ids of the profile's faults to their changes")
            return {}
        return changes.value

    def _problem(self, key: str, message: str) -> None:
        self.problems.append(self.document.problem((*self.path, key), message))


def _faults_of(text: str, name: str, place: Place) -> dict[str, Node]:
    """The faults of a profile by their ids, as if they stood where it is used."""
    root = _at(read_yaml(text, name).root, place).value
    faults = root["faults"].value if isinstance(root, dict) else ()
    return {
        str(each.value["id"].plain()): each
        for each in faults
        if isinstance(each, Node) and isinstance(each.value, dict)
    }


def _at(node: Node, place: Place) -> Node:
    match node.value:
        case str():
            return replace(node, place=place)
        case tuple():
            return replace(node, place=place, value=tuple(_at(each, place) for each in node.value))
    inside = {key: _at(each, place) for key, each in node.value.items()}
    return replace(node, place=place, value=inside, keys=dict.fromkeys(inside, place))


def _merged(base: Node, over: Node) -> Node:
    """``over`` wins; mappings are merged, but for one that names another type."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict) or _type(over) not in (None, _type(base)):
        return over
    inside = dict(base.value)
    for key, node in over.value.items():
        inside[key] = _merged(inside[key], node) if key in inside else node
    return Node(over.place, inside, {**base.keys, **over.keys}, base.weight + over.weight)


def _type(node: Node) -> Any:
    return node.value["type"].plain() if isinstance(node.value, dict) and "type" in node.value else None


def _without(node: Node, *names: str) -> Node:
    inside = {key: each for key, each in node.value.items() if key not in names} if isinstance(node.value, dict) else {}
    return Node(node.place, inside, {key: node.keys[key] for key in inside}, node.weight)


def _with_id(node: Node, fault_id: str, place: Place) -> Node:
    inside = node.value if isinstance(node.value, dict) else {}
    return Node(node.place, {**inside, "id": Node(place, fault_id, {})}, {**node.keys, "id": place}, node.weight)


# on the command line ------------------------------------------------------------------------------------------------


def flat_profile(text: str, profiles: Mapping[str, str]) -> list[str]:
    """The faults of ``NAME KEY=VALUE...``, one line each as for ``--fault``; ``ID.KEY=VALUE`` changes a single one.

    Raises BadValue.
    """
    try:
        name, *words = shlex.split(text) or [""]
    except ValueError as error:
        raise BadValue(str(error).lower()) from None
    if name not in profiles:
        raise BadValue(f"no profile is called {name!r}{hint(name, profiles)}; known: {', '.join(profiles)}")
    plain: Any = read_yaml(profiles[name], name).plain()
    faults = {fault["id"]: dict(_flat_pairs(fault)) for fault in plain["faults"]}
    for word in words:
        key, equals, value = word.partition("=")
        head, _, rest = key.partition(".")
        if not equals or not key:
            raise BadValue(f"{word!r}: expected key=value, or ID.key=value")
        if head in faults and rest:
            faults[head][rest] = value
        elif head in COMMON and key != "id":
            for pairs in faults.values():
                pairs[key] = value
        else:
            near = hint(head, [*faults, *COMMON])
            raise BadValue(f"{key}: neither a fault of {name} nor a key of all{near}; its faults: {', '.join(faults)}")
    prefix = name.replace("_", "-")
    return [
        shlex.join([pairs.pop("type"), f"id={prefix}-{fault_id}", *(f"{key}={pairs[key]}" for key in pairs)])
        for fault_id, pairs in faults.items()
    ]


def _flat_pairs(fault: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in fault.items():
        match value:
            case dict() if key == "do":
                yield from _flat_pairs(value)
            case dict():
                yield from ((f"{key}.{inner}", text) for inner, text in _flat_pairs(value))
            case list():
                yield key, ",".join(value)
            case _ if key != "id":
                yield key, value
