"""The catalogue in words, derived from the models: for ``chaosproxy faults``, its ``--symptom``, and the reference."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chaosproxy.faults import REGISTRY
from chaosproxy.faults.base import Fault
from chaosproxy.faults.incidents import Incident, incidents_of

# Words of the catalogue, each with what people say instead of it.
_SAID_AS = {
    "middle": "half halfway midway mid incomplete partial",
    "stops": "truncated truncate truncation cut ends stop aborts",
    "silence": "hang hangs stuck freeze freezes stall stalls waits wait timeout timeouts open stays",
    "slow": "slowly latency late delay delayed lag long",
    "reset": "rst",
    "close": "closed closes disconnect disconnects fin",
    "refused": "refuse down unreachable",
    "429": "throttled throttle ratelimit quota limit",
    "lost": "missing drops dropped loses gap gaps",
    "broken": "corrupt garbage garbled malformed json decode parse",
    "twice": "duplicate billed bills",
    "500": "crash crashed",
    "503": "unavailable overloaded",
    "partition": "outage",
}
_CATALOGUE_WORD = {said: word for word, others in _SAID_AS.items() for said in others.split()}
_FILLER = """a an and as at be before but by comes for from get gets goes has i if in is it its my no not of on or our
    so some still such that the their them then there this to too with without what when although"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name as users write it, what may stand there, its default as text and what it does.

    ``example`` is a value that stands for the others, where there is one.
    """

    name: str
    type: str
    default: str
    doc: str
    example: str


@dataclass(frozen=True, slots=True)
class FaultDoc:
    """One fault in words. ``summary`` is the first paragraph of its docstring, ``detail`` the rest."""

    name: str
    room: str
    summary: str
    detail: str
    settings: tuple[Setting, ...]
    symptom: str
    timeline: str
    incidents: tuple[Incident, ...] = ()


def document(fault: type[Fault]) -> FaultDoc:
    """The words of one fault."""
    summary, _, detail = inspect.cleandoc(fault.__doc__ or "").partition("\n\n")
    properties = fault.model_json_schema(by_alias=True, mode="validation").get("properties", {})
    defaults = fault().model_dump(mode="json", by_alias=True)
    settings = tuple(_setting(name, schema, defaults[name]) for name, schema in properties.items())
    return FaultDoc(
        fault.type,
        fault.room.value,
        _line(summary),
        _line(detail),
        settings,
        fault.symptom,
        fault.timeline,
        incidents_of(fault.type),
    )


def catalogue() -> tuple[FaultDoc, ...]:
    """All faults, in the order of the catalogue; those of plugins come last."""
    return tuple(document(fault) for fault in REGISTRY)


def find_symptom(text: str) -> list[FaultDoc]:
    """Faults whose symptom or summary has words of ``text``, best first; the symptom counts twice. Empty: none has."""
    asked = _words(text)
    ranked = [(2 * len(asked & _words(doc.symptom)) + len(asked & _words(doc.summary)), doc) for doc in catalogue()]
    return [doc for score, doc in sorted(ranked, key=lambda pair: -pair[0]) if score]


def _setting(name: str, schema: dict[str, Any], default: Any) -> Setting:
    doc = _line(schema.get("description", ""))
    return Setting(name, _type_words(schema), _default_words(default), doc, _example(schema))


def _example(schema: dict[str, Any]) -> str:
    choices = [schema, *schema.get("anyOf", ())]
    return next((str(choice["examples"][0]) for choice in choices if "examples" in choice), "")


def _type_words(schema: dict[str, Any]) -> str:
    """What may stand there: ``cut | stall | keep``, ``text such as 250ms``, ``whole number >= 1``."""
    if choices := schema.get("anyOf"):
        return _type_words(next(choice for choice in choices if choice.get("type") != "null"))
    if "enum" in schema:
        return " | ".join(schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "string" and (examples := schema.get("examples")):
        return f"such as {' or '.join(examples)}"
    if schema.get("type") == "array":
        return f"list of {_type_words(schema['items'])}"
    names = {"integer": "whole number", "number": "number", "boolean": "true | false", "object": "mapping"}
    bounds = [
        f"{sign} {schema[key]:g}"
        for key, sign in (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="))
        if key in schema
    ]
    return " ".join([names.get(schema.get("type", ""), "text"), *bounds])


def _default_words(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list():
            return ",".join(value)
        case dict():
            return ",".join(f"{key}={item}" for key, item in value.items())
    return str(value)


def _line(paragraph: str) -> str:
    return " ".join(paragraph.split())


def _words(text: str) -> set[str]:
    return set(_canonical(re.findall(r"[a-z0-9]+", text.lower())))


def _canonical(words: Iterable[str]) -> Iterable[str]:
    return (_CATALOGUE_WORD.get(word, word) for word in words if word not in _FILLER.split())
