"""pydantic's errors as sentences about the user's file: where, what was found, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from chaosproxy.errors import BadValue, shown_url
from chaosproxy.experiment.references import Filled, hint
from chaosproxy.experiment.unknown_keys import unknown_key
from chaosproxy.experiment.yaml_text import Document, Path, Plain, value_at
from chaosproxy.units import format_duration, format_rate, format_share, parse_duration, parse_rate, parse_share

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from chaosproxy.errors import Problem

_SECRET = re.compile(
    r"authorization|(?<!first_)(?<!inter_)(?<!prompt_)token$|api[-_]?key|secret|password|cookie", re.IGNORECASE
)
"""Keys whose values are never repeated; the times of a token are none."""
_SHOWN = 60
"""Characters of a wrong value that a message repeats."""
_TELLING = 6
"""A shorter value is looked for in its quotes only: it may stand in any sentence by chance."""

Error = Mapping[str, Any]


def names_a_secret(key: str) -> bool:
    """Whether what stands under this key is never repeated."""
    return _SECRET.search(key) is not None


def explain(error: ValidationError, model: type[BaseModel], document: Document, filled: Filled) -> list[Problem]:
    """One problem per mistake; those in places that have a problem already (``filled.failed``) are left out."""
    problems = []
    for each in error.errors(include_url=False, include_input=False):
        path = data_path(each["loc"], filled.value, missing=each["type"] == "missing")
        if any(path[: len(failed)] == failed for failed in filled.failed):
            continue
        at_key = each["type"] == "extra_forbidden"
        sentences = _sentence(each, path, model, filled).splitlines()
        problems += [document.problem(path, sentence, at_key=at_key) for sentence in sentences]
    return problems


def data_path(loc: Iterable[str | int], value: Plain, *, missing: bool = False) -> Path:
    """The path in the file of pydantic's location: steps that only pydantic sees (tags, wrapped lists) are left out."""
    steps = list(loc)
    path: list[str | int] = []
    here: Plain | None = value
    for index, step in enumerate(steps):
        if isinstance(here, dict) and step in here:
            here = here[str(step)]
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
        elif not (missing and index == len(steps) - 1):
            continue
        path.append(step)
    return tuple(path)


def found(path: Path, filled: Filled) -> str:
    """The value at ``path`` as a message may show it: short, and without secrets."""
    value = value_at(filled.value, path)
    match value:
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list" if value else "an empty list"
        case None | "":
            return "nothing"
    if any(isinstance(step, str) and names_a_secret(step) for step in path):
        return "a value that is not shown"
    text = filled.original[path] if path in filled.from_environment else value
    if "://" in text or "@" in text:
        text = shown_url(text)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def conceal(message: str, path: Path, filled: Filled) -> str:
    """A sentence about the value at ``path``, without what may be secret."""
    value = value_at(filled.value, path)
    if not isinstance(value, str) or not value:
        return message
    shown = found(path, filled)
    message = message.replace(repr(value), shown)
    return message.replace(value, shown) if shown != repr(value) and len(value) >= _TELLING else message


# ----------------------------------------------------------------------------------------------------------- sentences


def _sentence(error: Error, path: Path, model: type[BaseModel], filled: Filled) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(path, model, filled.value)
    if kind == "missing":
        return "is missing"
    if kind == "literal_error":
        allowed = _choices(context["expected"])
        return f"expected {_either(allowed)}, got {found(path, filled)}{_near(path, allowed, filled)}"
    if "error" in context:
        return conceal(str(context["error"]), path, filled)
    wanted = _WANTED.get(kind)
    if wanted is None:
        return f"this value does not fit: {found(path, filled)}"
    return f"expected {wanted(_spelled(context, value_at(filled.value, path)))}, got {found(path, filled)}"


def _spelled(context: Error, value: Plain | None) -> Error:
    """The bounds of a field, with the unit of its value if it has one."""
    spell = _speller(value if isinstance(value, str) else "")
    return {key: spell(bound) if isinstance(bound, int | float) else bound for key, bound in context.items()}


def _speller(text: str) -> Callable[[float], str]:
    for read, spell in ((parse_duration, format_duration), (parse_share, format_share), (parse_rate, format_rate)):
        try:
            read(text)
        except BadValue:
            continue
        return spell
    return "{:g}".format


def _form(text: str) -> Callable[[Error], str]:
    return lambda _: text


_MAPPING = _form("a mapping (key: value)")
_LIST = _form("a list")
_WHOLE = _form("a whole number")
_NUMBER = _form("a number")
_FILLED = _form("at least one entry")

_WANTED: Mapping[str, Callable[[Error], str]] = {
    "bool_parsing": _form("true or false"),
    "bool_type": _form("true or false"),
    "dict_type": _MAPPING,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "finite_number": _NUMBER,
    "greater_than": lambda c: f"more than {c['gt']}",
    "greater_than_equal": lambda c: f"at least {c['ge']}",
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_type": _WHOLE,
    "less_than": lambda c: f"less than {c['lt']}",
    "less_than_equal": lambda c: f"at most {c['le']}",
    "list_type": _LIST,
    "model_attributes_type": _MAPPING,
    "model_type": _MAPPING,
    "string_pattern_mismatch": lambda c: f"text of the form {c['pattern']}",
    "string_too_short": _form("some text"),
    "string_type": _form("text"),
    "too_long": lambda c: f"at most {c['max_length']} entries",
    "too_short": _FILLED,
    "tuple_type": _LIST,
}
"""What a field wants, by pydantic's type of error."""


def _choices(expected: str) -> list[str]:
    return re.findall(r"'([^']*)'", expected) or [expected]


def _either(allowed: list[str]) -> str:
    return allowed[0] if len(allowed) == 1 else f"{', '.join(allowed[:-1])} or {allowed[-1]}"


def _near(path: Path, allowed: list[str], filled: Filled) -> str:
    shown = found(path, filled)
    return hint(shown.strip("'"), allowed) if shown.startswith("'") else ""
