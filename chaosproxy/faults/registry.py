"""Which faults there are: those of the catalogue, and those that a user's own modules bring along."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic.errors import PydanticUserError

from chaosproxy.errors import BadValue
from chaosproxy.faults.base import Fault, Room

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_NAME_LENGTH_MAX = 40
"""An id is made of it, with a number or a few words around it."""
_COMMON_KEYS = frozenset(
    {"type", "id", "target", "at", "after", "delay", "lasts", "match", "share", "flap", "ramp", "streams"}
    | {"min_hits", "max_hits"}
)
"""Keys that every fault can have where it is used: no setting may be called like one."""


class Registry:
    """Faults by their names: ``own`` ones first, then registered ones in their order."""

    def __init__(self, own: Iterable[type[Fault]]) -> None:
        self._own = {fault.type: fault for fault in own}
        self._registered: dict[str, type[Fault]] = {}

    def __iter__(self) -> Iterator[type[Fault]]:
        """All of them."""
        return iter([*self._own.values(), *self._registered.values()])

    def find(self, name: str) -> type[Fault]:
        """The fault of that name. Raises BadValue with the nearest names."""
        found = self._own.get(name) or self._registered.get(name)
        if found is not None:
            return found
        near = get_close_matches(name, [*self._own, *self._registered], n=1)
        hint = f", did you mean {near[0]!r}?" if near else " (`chaosproxy faults` lists them)"
        raise BadValue(f"unknown fault {name!r}{hint}")

    def register(self, fault: object) -> None:
        """Add a user's fault; the same one twice is no mistake. Raises BadValue when it is none, or its name taken."""
        kind = checked(fault)
        if kind.type in self._own:
            raise BadValue(f"{_named(kind)}: type {kind.type!r} is a fault of chaosproxy's own, choose another name")
        taken = self._registered.setdefault(kind.type, kind)
        if taken is not kind:
            raise BadValue(f"{_named(kind)}: type {kind.type!r} is taken by {_named(taken)}")


def checked(fault: object) -> type[Fault]:
    """``fault``, if it is a class that has all that a fault needs. Raises BadValue with everything that is missing."""
    if not isinstance(fault, type) or not issubclass(fault, Fault):
        what = _named(fault) if isinstance(fault, type) else repr(fault)
        raise BadValue(f"{what} is not a subclass of chaosproxy.faults.base.Fault")
    if problems := list(_problems(fault)):
        raise BadValue(f"{_named(fault)}: {'; '.join(problems)}")
    return fault


def _problems(fault: type[Fault]) -> Iterator[str]:
    name, room, rooms = getattr(fault, "type", None), getattr(fault, "room", None), ", ".join(map(str, Room))
    if name is None:
        yield "it misses its type, such as type: ClassVar[str] = 'acme.slow_start'"
    elif not isinstance(name, str) or _NAME.fullmatch(name) is None or len(name) > _NAME_LENGTH_MAX:
        yield f"type is a name such as 'acme.slow_start', of at most {_NAME_LENGTH_MAX} characters, got {name!r}"
    if room is None:
        yield f"it misses its room, one of {rooms}"
    elif not isinstance(room, Room):
        yield f"room is one of {rooms}, got {room!r}"
    if not _is_text(getattr(fault, "symptom", None)):
        yield "it misses its symptom, a sentence that says what the client sees"
    if not _is_text(fault.__doc__):
        yield "it misses a docstring that says what it does"
    if fault.stage is Fault.stage:
        yield "it misses its stage(dice, exchange)"
    yield from _problems_of_settings(fault)


def _problems_of_settings(fault: type[Fault]) -> Iterator[str]:
    settings = {field.alias or key for key, field in fault.model_fields.items()}
    common = _COMMON_KEYS - {"delay"} if getattr(fault, "room", None) is Room.TOXIC else _COMMON_KEYS
    if clashes := sorted(settings & common):
        yield f"a setting cannot be called {' or '.join(clashes)}: every fault has that key"
    try:
        fault()
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            yield f"every setting needs a default that fits: {'.'.join(map(str, each['loc']))}: {each['msg'].lower()}"
    except PydanticUserError as error:  # a fault is built when it is first used, which is here
        yield f"its settings cannot be read: {str(error.message).splitlines()[0]}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _named(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"
