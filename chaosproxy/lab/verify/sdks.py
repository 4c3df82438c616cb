"""The types that official SDKs declare, where they are installed: an answer is validated without coercion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from chaosproxy.wire.dialects.names import ApiName
from chaosproxy.wire.foreign_json import dump, fields, parse

FLAWS = 3
"""As many mistakes of one document are told."""


@dataclass(frozen=True, slots=True)
class Declared:
    """Where an SDK declares its types, as ``module:name``. ``error`` is for the member ``error_in`` of an error's body.

    ``strict``: no coercion. Gemini's client itself turns words into enums, and Ollama's texts into moments.
    """

    package: str
    plain: str
    event: str
    error: str | None = None
    error_in: str | None = None
    strict: bool = True


_CHAT, _RESPONSES, _ANTHROPIC = "openai.types.chat", "openai.types.responses", "anthropic.types"
_OPENAI_ERROR = "openai.types.shared:ErrorObject"
_GEMINI = "google.genai.types:GenerateContentResponse"
_GOOGLE = Declared("google-genai", _GEMINI, _GEMINI, strict=False)
_DECLARED: dict[ApiName, Declared] = {
    "openai.chat": Declared(
        "openai", f"{_CHAT}:ChatCompletion", f"{_CHAT}:ChatCompletionChunk", _OPENAI_ERROR, "error"
    ),
    "openai.responses": Declared(
        "openai", f"{_RESPONSES}:Response", f"{_RESPONSES}:ResponseStreamEvent", _OPENAI_ERROR, "error"
    ),
    "anthropic.messages": Declared(
        "anthropic", f"{_ANTHROPIC}:Message", f"{_ANTHROPIC}:RawMessageStreamEvent", f"{_ANTHROPIC}:ErrorResponse"
    ),
    "gemini": _GOOGLE,
    "gemini.array": _GOOGLE,
    "ollama": Declared("ollama", "ollama:ChatResponse", "ollama:ChatResponse", strict=False),
    "ollama.generate": Declared("ollama", "ollama:GenerateResponse", "ollama:GenerateResponse", strict=False),
}


class Sdk:
    """The types of one API in its SDK. Raises ImportError where the SDK is not installed, or too old to have them."""

    def __init__(self, api: ApiName) -> None:
        self._declared = declared = _DECLARED[api]
        self._plain, self._event = _adapter(declared.plain), _adapter(declared.event)
        self._error = None if declared.error is None else _adapter(declared.error)
        self.name = f"{declared.package} {version(declared.package)}"

    def plain_flaws(self, document: str | bytes) -> Iterator[str]:
        """Of a plain answer."""
        yield from self._flaws(self._plain, document)

    def event_flaws(self, document: str) -> Iterator[str]:
        """Of one event of a stream."""
        yield from self._flaws(self._event, document)

    def error_flaws(self, document: bytes) -> Iterator[str]:
        """Of an error's body, where the SDK has a type for it."""
        if self._error is not None:
            member = self._declared.error_in
            yield from self._flaws(self._error, dump(fields(parse(document)).get(member)) if member else document)

    def _flaws(self, adapter: TypeAdapter[Any], document: str | bytes) -> Iterator[str]:
        try:
            read = adapter.validate_json(document, strict=self._declared.strict)
        except ValidationError as error:
            for flaw in error.errors(include_url=False, include_input=False)[:FLAWS]:
                yield f"{'.'.join(map(str, flaw['loc']))}: {flaw['msg']}"
            return
        for name in list(undeclared(read))[:FLAWS]:
            yield f"{name}: the SDK declares no such member"


def package(api: ApiName) -> str:
    """The SDK's name in the package index."""
    return _DECLARED[api].package


def undeclared(value: Any, path: str = "") -> Iterator[str]:
    """Paths of the members, at any depth, that a model keeps as extras."""
    if isinstance(value, list):
        for item in value:
            yield from undeclared(item, f"{path}[]")
    elif isinstance(value, BaseModel):
        at = f"{path}." if path else ""
        yield from (f"{at}{name}" for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from undeclared(getattr(value, name), f"{at}{name}")


@cache
def _adapter(place: str) -> TypeAdapter[Any]:
    module, _, name = place.partition(":")
    try:
        return TypeAdapter(getattr(import_module(module), name))
    except AttributeError:
        raise ImportError(f"{module} has no {name}") from None
