"""The entries of ``probes``, and the registry of their kinds: ours, and those of users' plugins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, SerializeAsAny

from chaosproxy.errors import BadValue
from chaosproxy.experiment.probe import Probe, ProbeEntry
from chaosproxy.experiment.probe_kinds import (
    CommandProbe,
    DiskProbe,
    HttpProbe,
    LogProbe,
    ProcessProbe,
    PrometheusProbe,
    PythonProbe,
    TcpProbe,
)
from chaosproxy.steady_state.expression import OWN_NEEDS

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class ProbeKinds:
    """Kinds by their names: ``own`` ones first, then registered ones in their order."""

    def __init__(self, own: Iterable[type[ProbeEntry]]) -> None:
        self._own = {kind.kind: kind for kind in own}
        self._registered: dict[str, type[ProbeEntry]] = {}

    def __iter__(self) -> Iterator[type[ProbeEntry]]:
        return iter([*self._own.values(), *self._registered.values()])

    @property
    def names(self) -> list[str]:
        """All of them, as keys of a file."""
        return [*self._own, *self._registered]

    def of(self, value: Mapping[str, Any]) -> type[ProbeEntry]:
        """The kind of an entry, by its key. Raises BadValue when it has none, or several."""
        chosen = [name for name in self.names if name in value]
        if len(chosen) > 1:
            raise BadValue(f"a probe has one kind, this one has {' and '.join(chosen)}: write a probe for each")
        if not chosen:
            common = ProbeEntry.model_fields
            near = [hit for key in value if key not in common for hit in get_close_matches(key, self.names, n=1)]
            mend = f", did you mean {near[0]!r}?" if near else ""
            raise BadValue(f"a probe needs its kind{mend}; known: {', '.join(self.names)}; {OWN_NEEDS}")
        return self._own.get(chosen[0]) or self._registered[chosen[0]]

    def register(self, kind: type[Probe]) -> None:
        """Add a user's kind; the same one twice is no mistake. Raises BadValue with what is wrong with it."""
        if problems := list(_problems(kind, self.names)):
            raise BadValue(f"{_named(kind)}: {'; '.join(problems)}")
        if kind.kind in self._own:
            raise BadValue(f"{_named(kind)}: {kind.kind!r} is a kind of chaosproxy's own, choose another name")
        taken = self._registered.setdefault(kind.kind, kind)
        if taken is not kind:
            raise BadValue(f"{_named(kind)}: kind {kind.kind!r} is taken by {_named(taken)}")


def _problems(kind: type[Probe], taken: list[str]) -> Iterator[str]:
    name = getattr(kind, "kind", None)
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        yield f"it needs its name, such as kind: ClassVar[str] = 'acme_queue', got {name!r}"
        return
    settings = {field.alias or key for key, field in kind.model_fields.items()}
    if name not in settings or name in ProbeEntry.model_fields:
        yield f"its first setting must be called {name!r}, like the kind"
    if clashes := sorted((settings - {name}) & set(taken)):
        yield f"a setting cannot be called {' or '.join(clashes)}: that is a kind of probe"
    if kind.look is Probe.look:
        yield "it misses its async look(scene)"
    if not kind.__doc__:
        yield "it misses a docstring that says what it looks at"


def _named(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


KINDS = ProbeKinds((HttpProbe, TcpProbe, PrometheusProbe, CommandProbe, PythonProbe, LogProbe, ProcessProbe, DiskProbe))
"""Our kinds, and what users' plugins have registered."""


def _probe(value: Any) -> Any:
    """Choose the model by its key, so that messages speak of one kind only."""
    if isinstance(value, ProbeEntry):
        return value
    if not isinstance(value, dict):
        raise BadValue("a probe is a mapping with an id and a kind, such as {id: health, http: URL}")
    return KINDS.of(value).model_validate(value)


AnyProbe: TypeAlias = Annotated[SerializeAsAny[ProbeEntry], BeforeValidator(_probe)]
"""One entry of ``probes``."""
