"""What every probe has: when it looks, how long it may take, and what one look can find.

The kinds of probes are settings here, above the line; `chaosproxy/probes` does the looking (docs/decisions/0027).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from chaosproxy.errors import BadValue
from chaosproxy.experiment.section import Name, Section, is_url
from chaosproxy.steady_state.observation import OPERATORS
from chaosproxy.units import Duration

_BOUND = re.compile(r"\s*(<=|>=|==|!=|<|>)\s*(-?\d+(?:\.\d+)?)\s*")


@dataclass(frozen=True, slots=True)
class Bound:
    """An operator and a number, such as ``> 0.9``."""

    operator: str
    number: float
    text: str

    @classmethod
    def parse(cls, text: str) -> Bound:
        """Raises BadValue."""
        match = _BOUND.fullmatch(text)
        if match is None:
            raise BadValue(f"expected an operator and a number, such as '> 0.9' or '== 0', got {text!r}")
        return cls(match[1], float(match[2]), f"{match[1]} {match[2]}")

    def holds(self, value: float) -> bool:
        """Whether ``value`` is on its good side."""
        return OPERATORS[self.operator](value, self.number)


def _bound(value: Any) -> Any:
    if isinstance(value, Bound):
        return value
    if not isinstance(value, str):
        raise BadValue("expected an operator and a number, such as '> 0.9' or '== 0'")
    return Bound.parse(value)


BoundText: TypeAlias = Annotated[
    Bound,
    BeforeValidator(_bound),
    PlainSerializer(lambda bound: bound.text, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _BOUND.pattern, "examples": ["> 0.9", "== 0"]}),
]
"""What a number must be."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found.

    ``ok``: it is as expected; ``failed``: it was looked at, and is not; ``unknown``: it could not be looked at, which
    says nothing about the system. ``detail`` says why, in words and without secrets; ``value`` is a number or None.
    """

    outcome: Literal["ok", "failed", "unknown"]
    value: float | None = None
    detail: str = ""

    @classmethod
    def by(cls, bound: Bound | None, value: float, what: str) -> Seen:
        """Ok if ``value`` is within ``bound`` (or there is none); ``what`` names it in the words of a failure."""
        if bound is None or bound.holds(value):
            return cls("ok", value)
        return cls("failed", value, f"{what} is {value:.6g}, expected {bound.text}")


@dataclass(frozen=True, slots=True)
class Scene:
    """What only a run knows.

    ``facts`` by the names of references (``entry``, ``listener.NAME``, ``run.id``); ``pids`` of the systems that it
    has started, by name; ``leashes`` are those of them that only hold the user's command as their child.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    pids: Mapping[str, int] = field(default_factory=dict)
    leashes: frozenset[int] = frozenset()


class ProbeEntry(Section):
    """A probe: something that the run looks at again and again."""

    kind: ClassVar[str]
    """The key that chooses it; also the name of its first setting."""
    overdue: ClassVar[Literal["failed", "unknown"]] = "unknown"
    """What a look says that did not end within ``timeout``."""

    id: Name
    """Its name in expressions, ``probe(ID).success``, and in reports."""
    during: Literal["before", "during", "after", "all"] = "all"
    """When it looks: before the first fault acts, from then until the last one has healed, after that, or always."""
    each: Annotated[Duration, Field(ge=0.05)] = 1.0
    """From one look to the next; one that takes longer is never overtaken."""
    timeout: Annotated[Duration, Field(gt=0)] = 2.0
    """How long one look may take."""

    @property
    def gives_value(self) -> bool:
        """Whether its looks have a number, for ``probe(ID).value``."""
        return True

    def hosts(self) -> Iterator[tuple[str, str]]:
        """Keys with a URL, and that URL, for ``safety.allow_hosts``."""
        for key, text in _texts(self.model_dump(mode="json", by_alias=True), ()):
            if is_url(text):
                yield key[0], text

    def secrets(self) -> frozenset[str]:
        """What must not be repeated anywhere: header values, and users and passwords in URLs."""
        found = set()
        for key, text in _texts(self.model_dump(mode="json", by_alias=True), ()):
            if "headers" in key:
                found |= {text, *text.split()[1:]}
            if is_url(text):
                url = urlsplit(text)
                found |= {url.netloc.rpartition("@")[0], url.username or "", url.password or "", url.query}
        return frozenset(found - {""})


class Probe(ProbeEntry):
    """Base of a user's own kind: its settings, the first of them called like ``kind``, and ``look``."""

    async def look(self, scene: Scene) -> Seen:
        """Look once. An exception means that it could not be looked at; it must not block the event loop."""
        raise NotImplementedError


def _texts(value: Any, path: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from _texts(item, (*path, str(key)))
        case list():
            for item in value:
                yield from _texts(item, path)
