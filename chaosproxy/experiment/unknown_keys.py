"""What to say about a key that does not exist: which one was probably meant, or where it belongs."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from chaosproxy.errors import BadValue
from chaosproxy.experiment.probe import ProbeEntry
from chaosproxy.experiment.probes import KINDS
from chaosproxy.experiment.references import hint
from chaosproxy.experiment.yaml_text import Path, Plain, value_at
from chaosproxy.faults import fault_class
from chaosproxy.faults.base import Fault

_MISTAKEN = {
    "on": "target",
    "for": "lasts",
    "duration": "lasts",
    "until": "lasts",
    "every": "each",
    "fault": "do",
    "toxic": "do",
    "probability": "share",
    "percent": "share",
    "start": "at",
    "url": "upstream",
    "port": "listen",
    "tolerance": "expect",
    "version": "experiment",
    "apiVersion": "experiment",
    "title": "name",
    "description": "question",
    "method": "faults",
    "rollbacks": "heal",
    "steady-state-hypothesis": "hypothesis",
}
"""What people write who know other tools, or YAML's ``on``."""


def unknown_key(path: Path, model: type[BaseModel], value: Plain) -> str:
    """What to say about the key at ``path``, which the model that stands there does not have."""
    key = str(path[-1])
    kinds = _models_at(model, path[:-1], value)
    known = sorted({name for kind in kinds for name in keys_of(kind)})
    if _MISTAKEN.get(key) in known:
        return f"unknown key, did you mean {_MISTAKEN[key]!r}?"
    return f"unknown key{_elsewhere(path, model, value) or hint(key, known) or _all(known)}"


def _elsewhere(path: Path, model: type[BaseModel], value: Plain) -> str:
    """Where the same key does exist: one level further in, or one further out."""
    key, outer = str(path[-1]), path[:-1]
    for kind in _models_at(model, outer, value):
        for name in keys_of(kind):
            if any(key in keys_of(inner) for inner in _models_at(model, (*outer, name), value)):
                return f"; write it inside `{name}`"
    if outer and any(key in keys_of(kind) for kind in _models_at(model, outer[:-1], value)):
        return f"; it stands beside `{outer[-1]}`, not inside"
    return ""


def keys_of(kind: type[BaseModel]) -> list[str]:
    """The keys of a model as the file spells them."""
    keys = [field.alias or name for name, field in kind.model_fields.items()]
    return ["type", *keys] if issubclass(kind, Fault) else keys


def _fault_named(name: Plain | None) -> type[Fault]:
    try:
        return fault_class(name) if isinstance(name, str) else Fault
    except BadValue:
        return Fault


def _probe_of(value: Plain | None) -> type[ProbeEntry]:
    try:
        return KINDS.of(value) if isinstance(value, dict) else ProbeEntry
    except BadValue:
        return ProbeEntry


def _models_at(model: type[BaseModel], path: Path, value: Plain) -> list[type[BaseModel]]:
    """The models that may stand at ``path``, of several (a union) only those whose literals fit the file."""
    kinds: list[Any] = [model]
    here = value_at(value, path)
    for depth, step in enumerate(path, start=1):
        kinds = [inner for kind in kinds for inner in _inside(kind, step)]
        if any(ProbeEntry in _unwrap(kind) for kind in kinds):
            kinds = [_probe_of(value_at(value, path[:depth]))]
    alone = isinstance(here, dict)
    found = [each for kind in kinds for leaf in _unwrap(kind) for each in (_elements(leaf) if alone else [leaf])]
    leaves = [leaf for leaf in found if isinstance(leaf, type) and issubclass(leaf, BaseModel)]
    leaves = [_fault_named(value_at(here or "", ("type",))) if leaf is Fault else leaf for leaf in leaves]
    keys = here.keys() if isinstance(here, dict) else set()
    told_apart = [leaf for leaf in leaves if _literals_of(leaf).keys() & keys]
    return [leaf for leaf in told_apart or leaves if _literals_fit(leaf, here)] or told_apart or leaves


def _inside(kind: Any, step: str | int) -> list[Any]:
    """What a field's type says about the value one step further in."""
    inner = []
    for leaf in _unwrap(kind):
        origin, arguments = get_origin(leaf), get_args(leaf)
        if origin is dict:
            inner.append(arguments[1])
        elif origin in (list, tuple):
            inner += [arguments[0]] if isinstance(step, int) else _inside(arguments[0], step)
        elif isinstance(leaf, type) and issubclass(leaf, BaseModel):
            inner += [f.annotation for name, f in leaf.model_fields.items() if step in (name, f.alias)]
    return inner


def _elements(kind: Any) -> list[Any]:
    """Of a list those that it holds: a file may write one that stands alone without its list."""
    return _unwrap(get_args(kind)[0]) if get_origin(kind) in (list, tuple) else [kind]


def _unwrap(kind: Any) -> list[Any]:
    """The types inside Annotated and unions."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _unwrap(arguments[0])
    if origin in (Union, UnionType):
        return [leaf for argument in arguments for leaf in _unwrap(argument)]
    return [kind]


def _literals_fit(kind: type[BaseModel], value: Plain | None) -> bool:
    if not isinstance(value, dict):
        return True
    return all(str(value.get(name)).lower() in choices for name, choices in _literals_of(kind).items())


def _literals_of(kind: type[BaseModel]) -> dict[str, list[str]]:
    """The keys that tell it from others, and how a file may spell what they say."""
    return {
        name: [str(choice).lower() for choice in get_args(field.annotation)]
        for name, field in kind.model_fields.items()
        if get_origin(field.annotation) is Literal and field.is_required()
    }


def _all(known: list[str]) -> str:
    return f"; known here: {', '.join(known)}"
