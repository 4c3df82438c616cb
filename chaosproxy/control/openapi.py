"""The OpenAPI document of the control API, made of its routes and messages."""

from __future__ import annotations

import re
from typing import Any

from pydantic.json_schema import models_json_schema

from chaosproxy import __version__
from chaosproxy.control.messages import OWNER_CHARS_MAX, Failure, Message
from chaosproxy.control.routes import JSON, ROUTES, Route
from chaosproxy.faults import REGISTRY
from chaosproxy.plan.rule import ID_LENGTH_MAX

_WORDS = {
    400: "The request is wrong.",
    401: "The token is missing or wrong.",
    403: "A browser's page of another origin asked.",
    404: "It is not active.",
    408: "The body did not come in time.",
    409: "Somebody else's fault or claim stands in the way.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    423: "Everything is stopped.",
    429: "Too many requests, or too many wrong tokens.",
    503: "Not yet.",
}
_TEMPLATE = "#/components/schemas/{model}"
_ALWAYS = (400, 403, 429)
_WITH_BODY = (408, 413, 415)
_PARAMETER = re.compile(r"\{(\w+)\}")
_NAME_CHARS_MAX = {"id": ID_LENGTH_MAX, "owner": OWNER_CHARS_MAX}


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    said = {route.says for route in ROUTES if route.says is not None}
    heard = {route.hears for route in ROUTES if not isinstance(route.hears, str)} | {Failure}
    _, schemas = models_json_schema(
        [
            *((model, "validation") for model in sorted(said, key=lambda model: model.__name__)),
            *((model, "serialization") for model in sorted(heard, key=lambda model: model.__name__)),
        ],
        ref_template=_TEMPLATE,
    )
    definitions = schemas["$defs"]
    definitions["Fault"] = _any_fault(definitions)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "chaosproxy control API",
            "version": __version__,
            "description": "Drives one running proxy. It is never served on a listener of the proxy.",
        },
        "paths": _paths(definitions),
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _any_fault(definitions: dict[str, Any]) -> dict[str, Any]:
    """Any fault of the registry; the schemas of each are added to ``definitions``."""
    for kind in REGISTRY:
        settings = kind.model_json_schema(ref_template=_TEMPLATE)
        definitions.update(settings.pop("$defs", {}))
        settings["properties"] = {"type": {"const": kind.type}, **settings.get("properties", {})}
        settings["required"] = ["type", *settings.get("required", ())]
        definitions[kind.type] = settings
    references = {kind.type: _TEMPLATE.format(model=kind.type) for kind in REGISTRY}
    return {
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "type", "mapping": references},
    }


def _paths(definitions: dict[str, Any]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, definitions)
    return paths


def _operation(route: Route, definitions: dict[str, Any]) -> dict[str, Any]:
    statuses = [*_ALWAYS, *route.refusals, *(() if route.open else (401,)), *(_WITH_BODY if route.says else ())]
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {
            str(route.status): {"description": "As asked.", "content": _answer(route, definitions)},
            **{str(status): _refusal(status, route, definitions) for status in sorted(statuses)},
        },
    }
    if parameters := [*_in_path(route), *_in_query(route)]:
        operation["parameters"] = parameters
    if route.says is not None:
        content = {JSON: {"schema": _ref(route.says, definitions)}}
        operation["requestBody"] = {"required": True, "content": content}
    if not route.open:
        operation["security"] = [{"token": []}]
    return operation


def _answer(route: Route, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(route.hears, str):
        return {route.hears: {"schema": {"type": "object"} if route.hears == JSON else {"type": "string"}}}
    return {JSON: {"schema": _ref(route.hears, definitions, answer=True)}}


def _refusal(status: int, route: Route, definitions: dict[str, Any]) -> dict[str, Any]:
    said = route.hears if status == 503 and not isinstance(route.hears, str) else Failure
    return {"description": _WORDS[status], "content": {JSON: {"schema": _ref(said, definitions, answer=True)}}}


def _ref(model: type[Message], definitions: dict[str, Any], *, answer: bool = False) -> dict[str, str]:
    """Models that read and write different things have two schemas."""
    name = f"{model.__name__}-{'Output' if answer else 'Input'}"
    return {"$ref": _TEMPLATE.format(model=name if name in definitions else model.__name__)}


def _in_path(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": _NAME_CHARS_MAX[name]},
        }
        for name in _PARAMETER.findall(route.path)
    ]


def _in_query(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "description": words, "schema": {"type": "string"}}
        for name, words in route.query.items()
    ]
