"""The JSON Schema (2020-12) of experiment and proxies files, for editors and other tools; derived from the models.

Editors turn YAML's scalars into numbers and booleans, the loader keeps them as text: so plain text may be a number
here, and everything may be a reference (``${rps}``). Choices are written as if/then, because a message about ``oneOf``
says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from pydantic import TypeAdapter

from chaosproxy.experiment.model import Experiment
from chaosproxy.experiment.probes import KINDS
from chaosproxy.experiment.proxies import ProxiesFile
from chaosproxy.faults import REGISTRY
from chaosproxy.units import Duration, Hold, Rate, Share, format_duration, format_hold, format_rate, format_share

Schema: TypeAlias = dict[str, Any]

_TEMPLATE = "#/$defs/{model}"
_NAMED_BY_US = ("FaultEntry", "ExpectationEntry", "AbortEntry", "HookEntry")
"""Entries whose id is made up when the file has none."""
_REFERENCE: Schema = {"type": "string", "pattern": r"\$\{[^{}]*\}"}
_SCALAR = ["string", "number", "boolean"]
_FORMATS: Mapping[str, Callable[[float], str]] = MappingProxyType(
    {
        TypeAdapter(Duration).json_schema()["pattern"]: format_duration,
        TypeAdapter(Hold).json_schema()["pattern"]: format_hold,
        TypeAdapter(Share).json_schema()["pattern"]: format_share,
        TypeAdapter(Rate).json_schema()["pattern"]: format_rate,
    }
)
"""How a default is spelled, by the pattern of its field."""


def json_schema() -> Schema:
    """The schema of an experiment file."""
    schema = Experiment.model_json_schema(ref_template=_TEMPLATE)
    for name in _NAMED_BY_US:
        schema["$defs"][name]["required"].remove("id")
    schema["$defs"]["ProfileUse"] = _profile_use(schema["$defs"]["FaultEntry"])
    schema["$defs"]["FaultEntry"]["required"].reverse()  # what tells it from a use comes first
    schema["properties"]["faults"]["items"] = _entry_of_faults()
    schema["properties"]["probes"]["items"] = _entry_of_probes(schema["$defs"])
    schema["properties"]["systems"]["additionalProperties"] = _system()
    return _of_file(schema, "chaosproxy experiment")


def proxies_schema() -> Schema:
    """The schema of the file of ``chaosproxy serve --config``."""
    return _of_file(ProxiesFile.model_json_schema(ref_template=_TEMPLATE), "chaosproxy proxies")


def _of_file(schema: Schema, title: str) -> Schema:
    definitions: Schema = schema.pop("$defs")
    definitions["Fault"] = _fault(definitions)
    whole: Schema = _for_files({**schema, "$defs": definitions})
    whole["$defs"]["reference"] = {**_REFERENCE, "description": "A variable, or the environment: ${name}, ${env:NAME}."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **whole}


def _fault(definitions: Schema) -> Schema:
    """Any fault of the registry; the schemas of each are added to ``definitions``."""
    names, cases = [], []
    for kind in REGISTRY:
        settings = kind.model_json_schema(ref_template=_TEMPLATE)
        definitions.update(settings.pop("$defs", {}))
        settings["properties"] = {"type": {"const": kind.type}, **settings.get("properties", {})}
        definitions[kind.type] = settings
        names.append(kind.type)
        cases.append(_case("type", kind.type, kind.type))
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"type": "string", "enum": names, "description": "Its name in the catalogue."}},
        "allOf": cases,
    }


def _entry_of_faults() -> Schema:
    used: Schema = {"required": ["use"]}
    return {
        "type": "object",
        "allOf": [
            {"if": {"not": used}, "then": {"$ref": _TEMPLATE.format(model="FaultEntry")}},
            {"if": used, "then": {"$ref": _TEMPLATE.format(model="ProfileUse")}},
        ],
    }


def _entry_of_probes(definitions: Schema) -> Schema:
    """Any kind of the registry, chosen by its key; the schemas of each are added to ``definitions``."""
    del definitions["ProbeEntry"]
    cases = []
    for kind in KINDS:
        settings = kind.model_json_schema(ref_template=_TEMPLATE)
        definitions.update(settings.pop("$defs", {}))
        others = (key for key in settings["required"] if key != kind.kind)
        settings["required"] = [kind.kind, *others]  # what tells it from others comes first
        definitions[name := f"probe.{kind.kind}"] = settings
        cases.append({"if": {"required": [kind.kind]}, "then": {"$ref": _TEMPLATE.format(model=name)}})
    return {"type": "object", "anyOf": [{"required": [name]} for name in KINDS.names], "allOf": cases}


def _profile_use(entry: Schema) -> Schema:
    """An entry of ``faults`` that stands for all faults of a profile: it has what a fault has, but ``do``."""
    inherited: Schema = {  # without defaults: what is absent is as the profile says
        name: {key: value for key, value in each.items() if key != "default"}
        for name, each in entry["properties"].items()
        if name != "do"
    }
    inherited["id"]["description"] = "The ids of its faults begin with it. Default: the profile's name, with dashes."
    changes: Schema = {"type": "object", "additionalProperties": {"type": "object"}}
    own: Schema = {
        "use": {"type": "string", "minLength": 1, "description": "A profile; `chaosproxy profiles` lists them."},
        "set": {**changes, "description": "Changes of single faults, by their ids in the profile."},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["use", "target"],
        "description": "All faults of a profile; what stands here holds for each of them.",
        "properties": {**own, **inherited},
    }


def _system() -> Schema:
    """A part of the lab, or a command."""
    return {
        "type": "object",
        "anyOf": [{"required": ["lab"]}, {"required": ["command"]}],
        "properties": {"lab": {"enum": ["backend", "gateway", "availability"]}},
        "allOf": [
            _case("lab", "backend", "LabBackend"),
            _case("lab", "gateway", "LabGateway"),
            _case("lab", "availability", "LabAvailability"),
            {"if": {"required": ["command"]}, "then": {"$ref": _TEMPLATE.format(model="Command")}},
        ],
    }


def _case(key: str, value: str, definition: str) -> Schema:
    condition = {"required": [key], "properties": {key: {"const": value}}}
    return {"if": condition, "then": {"$ref": _TEMPLATE.format(model=definition)}}


def _for_files(schema: Any) -> Any:
    """What pydantic made, as files spell it: see the top of this module."""
    if isinstance(schema, list):
        return [_for_files(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: _for_files(each) if key != "default" else each for key, each in schema.items()}
    for key in ("properties", "$defs"):
        if isinstance(schema.get(key), dict):
            out[key] = {name: _for_files(each) for name, each in schema[key].items()}
    if isinstance(out.get("title"), str):  # pydantic's, made of the key: it says nothing
        del out["title"]
    if out.get("type") != "string":  # pydantic's, of the field that a validator makes: it does not fit what is written
        out.pop("minLength", None)
    if "anyOf" in out:
        out["anyOf"] = [each for each in out["anyOf"] if each != {"type": "null"}]
    _spell_default(out)
    if out.get("type") == "string" and not {"pattern", "minLength", "enum", "const"} & out.keys():
        out["type"] = _SCALAR
    elif out.get("type") in ("string", "integer", "number", "boolean") and "const" not in out:
        return _or_reference(out)
    return out


def _spell_default(schema: Schema) -> None:
    default = schema.get("default")
    if isinstance(default, float) and schema.get("pattern") in _FORMATS:
        schema["default"] = _FORMATS[schema["pattern"]](default)
    elif default is None or isinstance(default, dict | list):
        schema.pop("default", None)


def _or_reference(schema: Schema) -> Schema:
    about: Schema = {key: schema.pop(key) for key in ("title", "description", "default") if key in schema}
    return {**about, "anyOf": [schema, {"$ref": _TEMPLATE.format(model="reference")}]}
