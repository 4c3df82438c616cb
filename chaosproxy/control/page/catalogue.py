"""The form of each fault, made of its model: what may stand in each field, what stands there, what it does."""

from __future__ import annotations

from typing import Any

from chaosproxy.control.messages import LEASE_S_MAX, Message
from chaosproxy.faults import REGISTRY
from chaosproxy.faults.base import Fault
from chaosproxy.faults.docs import Setting, document


class Field(Message):
    """One setting. ``kind`` is choice, flag, whole, number, text, list or mapping."""

    name: str
    kind: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    hint: str
    """What may stand there, in words."""
    default: str
    """Empty: it is not set."""
    doc: str


class Form(Message):
    """One fault."""

    type: str
    room: str
    summary: str
    detail: str
    symptom: str
    timeline: str
    """ASCII."""
    on_connections: bool
    """Whether it acts on connections: nothing can be said there about requests."""
    fields: tuple[Field, ...]


class Catalogue(Message):
    """All that can be injected."""

    lease_s_max: float
    forms: tuple[Form, ...]


def catalogue() -> Catalogue:
    """Of the registry as it is, plugins included."""
    return Catalogue(lease_s_max=LEASE_S_MAX, forms=tuple(form_of(fault) for fault in REGISTRY))


def form_of(fault: type[Fault]) -> Form:
    """The form of one fault."""
    doc = document(fault)
    schemas = fault.model_json_schema(by_alias=True, mode="validation").get("properties", {})
    return Form(
        type=doc.name,
        room=doc.room,
        summary=doc.summary.replace("``", ""),
        detail=doc.detail.replace("``", ""),
        symptom=doc.symptom,
        timeline=doc.timeline,
        on_connections=doc.room == "toxic",
        fields=tuple(_field(setting, schemas[setting.name]) for setting in doc.settings),
    )


def _field(setting: Setting, schema: dict[str, Any]) -> Field:
    choices = schema.get("anyOf", [schema])
    schema = next(choice for choice in choices if choice.get("type") != "null")
    return Field(
        name=setting.name,
        kind=_kind(schema),
        choices=tuple(map(str, schema.get("enum", ()))),
        least=schema.get("minimum", schema.get("exclusiveMinimum")),
        most=schema.get("maximum"),
        hint=setting.type,
        default=setting.default,
        doc=setting.doc.replace("``", ""),
    )


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "choice"
    kinds = {"integer": "whole", "number": "number", "boolean": "flag", "array": "list", "object": "mapping"}
    return kinds.get(schema.get("type", ""), "text")
