"""A rule on one line, as on the command line: ``stream.truncate where=token:5 share=20% match.stream=true``.

The first word names the fault; then settings of the fault and common keys, in any order. A dot enters a mapping
(``match.header.x-tenant=a*``, ``headers.x-request-id=1``); quotes hold a value with spaces together, as in a shell.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from chaosproxy.errors import BadValue
from chaosproxy.faults import fault_class
from chaosproxy.faults.base import Fault
from chaosproxy.plan.rule import Match, Rule

TARGET = "target"
"""The listener, or several with commas between them."""
MAPPINGS = {"match": tuple(Match.model_fields), "flap": ("down", "up")}
COMMON = (TARGET, "id", "lasts", "share", "streams", "max_hits", *MAPPINGS)
ELSEWHERE = {
    **dict.fromkeys(("at", "after", "delay", "min_hits"), "belongs to the timeline of an experiment file"),
    "ramp": "does not exist yet",
}


def parse_flat(text: str) -> dict[str, Any]:
    """The values for a :class:`Rule`, ``id`` and ``listeners`` only if given. Raises BadValue with all mistakes."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadValue(f"{text!r}: {str(error).lower()}") from None
    if not words:
        raise BadValue("expected a fault, such as 'stream.truncate where=token:5', got nothing")
    problems: list[str] = []
    pairs = list(_pairs(words[1:], problems))
    return _values_of(fault_class(words[0]), pairs, problems)


def from_keywords(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The same of Python values: settings and common keys beside each other, ``match`` and ``flap`` as mappings.

    Seconds are floats and shares 0..1, or both as text with their unit. Raises BadValue with all mistakes, and says so
    when ``name`` has its settings behind it, which are given by their names here.
    """
    kind, *settings = name.split()[:2] or [name]
    if settings:
        raise BadValue(f"settings are given by their names: fault({kind!r}, {_as_keyword(settings[0])}, ...)")
    return _values_of(fault_class(name), list(_dotted(given)), [])


def _as_keyword(word: str) -> str:
    key, _, value = word.partition("=")
    return f"{key}={value!r}"


def _dotted(given: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """``{"match": {"stream": True}}`` as ``match.stream``; a mapping that is a setting of the fault stays whole."""
    for key, value in given.items():
        if isinstance(value, Mapping) and value and (prefix + key in MAPPINGS or prefix == "match."):
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _values_of(fault: type[Fault], pairs: list[tuple[str, Any]], problems: list[str]) -> dict[str, Any]:
    """What the pairs mean. Raises BadValue with their mistakes and the ``problems`` that were there before."""
    problems += [complaint for key, _ in pairs if (complaint := _unknown(key, fault))]
    known = [(key, value) for key, value in pairs if not _unknown(key, fault)]
    values = _nested((key, value) for key, value in known if _head(key) in COMMON)
    values["do"] = {"type": fault.type, **_nested((key, value) for key, value in known if _head(key) not in COMMON)}
    if TARGET in values:
        values["listeners"] = tuple(name.strip() for name in values.pop(TARGET).split(","))
    problems += _mistakes(values, fault)
    if problems:
        raise BadValue("\n".join(problems))
    return values


def setting_names(fault: type[Fault]) -> tuple[str, ...]:
    """The settings of a fault as users write them."""
    return tuple(field.alias or name for name, field in fault.model_fields.items())


def _pairs(words: list[str], problems: list[str]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            problems.append(f"{word!r}: expected key=value")
        elif key in seen:
            problems.append(f"{key}={value}: {key} is given twice")
        else:
            yield key, value
        seen.add(key)


def _head(key: str) -> str:
    return key.partition(".")[0]


def _unknown(key: str, fault: type[Fault]) -> str | None:
    if key in ELSEWHERE and key not in setting_names(fault):
        return f"{key}: {ELSEWHERE[key]}"
    head, _, rest = key.partition(".")
    if head in MAPPINGS:
        inner = _head(rest)
        known = {f"{head}.{name}" for name in MAPPINGS[head]}
        takes_more = inner == "header" and rest != inner
        return None if f"{head}.{rest}" in known or takes_more else _complaint(key, known)
    settings = setting_names(fault)
    if key in (*COMMON, *settings) or (head in settings and rest):
        return None
    return _complaint(key, {*settings, *(name for name in COMMON if name not in MAPPINGS), *MAPPINGS})


def _complaint(key: str, known: Iterable[str]) -> str:
    near = get_close_matches(key, sorted(known), n=1) if key not in MAPPINGS else []
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(sorted(known))}"
    return f"{key}: unknown key, {hint}"


def _nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """``a.b=c`` as ``{"a": {"b": "c"}}``; header fields go one level deeper."""
    nested: dict[str, Any] = {}
    for key, value in pairs:
        head, _, rest = key.partition(".")
        if not rest:
            nested[head] = value
        elif rest.startswith("header."):
            nested.setdefault(head, {}).setdefault("header", {})[rest.removeprefix("header.")] = value
        else:
            nested.setdefault(head, {})[rest] = value
    return nested


def _mistakes(values: dict[str, Any], fault: type[Fault]) -> list[str]:
    settings = {name: value for name, value in values["do"].items() if name != "type"}
    problems = _validated(fault, settings)
    common = _validated(Rule, {"id": "flat", "listeners": ("any",), **values}, leave_out=bool(problems))
    return problems + common


def _validated(model: type[Fault | Rule], values: dict[str, Any], *, leave_out: bool = False) -> list[str]:
    """One sentence per mistake. ``leave_out`` skips the fault, whose own mistakes are known already."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False)
        return [
            _sentence(mistake["loc"], mistake["msg"], values)
            for mistake in found
            if not (leave_out and "do" in mistake["loc"])
        ]
    return []


def _sentence(loc: tuple[int | str, ...], message: str, values: dict[str, Any]) -> str:
    where = ".".join(str(step) for step in loc)
    message = message.removeprefix("Value error, ")
    if message == "Field required":
        return f"{where}: missing"
    value: Any = values
    for step in loc:
        value = value.get(step) if isinstance(value, dict) else value
    near = get_close_matches(
        str(value), re.findall(r"'([^']+)'", message) if "Input should be '" in message else [], n=1
    )
    hint = f", did you mean {near[0]!r}?" if near else ""
    return f"{where}={value}: {message[0].lower()}{message[1:]}{hint}" if where else message
