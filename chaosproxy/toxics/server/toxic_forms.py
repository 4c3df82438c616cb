"""From a body to a toxic: the reference's order of checks and its words, and the values that we refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chaosproxy.errors import BadValue
from chaosproxy.faults import CATALOGUE
from chaosproxy.faults.toxic.base import Direction, Toxic
from chaosproxy.faults.toxic.down import ToxicDown
from chaosproxy.toxics.server.forms import PATCH_TYPE, decode, go_name, patch_fields, toxic_fields
from chaosproxy.toxics.server.go_json import GoJsonError
from chaosproxy.toxics.server.go_text import INVALID_STREAM, INVALID_TYPE, GoError, bad_body

TTL_MAX_MS = 365 * 24 * 3600 * 1000
TYPES: Mapping[str, type[Toxic]] = {
    kind.type.removeprefix("toxic."): kind
    for kind in CATALOGUE
    if issubclass(kind, Toxic) and kind is not ToxicDown  # which is enabled=false here
}


@dataclass(frozen=True, slots=True)
class NewToxic:
    """A toxic as it was asked for. ``stream`` is spelt as sent, ``ttl_ms`` is 0 for no lease."""

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: Mapping[str, int]
    ttl_ms: int = 0

    @property
    def direction(self) -> Direction:
        """The stream that is meant."""
        return Direction(self.stream.lower())

    def toxic(self) -> Toxic:
        """What the engine runs. Raises GoError for values that make no sense."""
        if not 0 <= self.toxicity <= 1:
            raise GoError("toxicity was invalid, must be between 0 and 1", 400)
        try:
            kind = TYPES[self.type]
            return kind.from_attributes(self.attributes, direction=self.direction, toxicity=self.toxicity)
        except BadValue as error:
            raise GoError(f"attributes were invalid: {error}", 400) from None


@dataclass(frozen=True, slots=True)
class ToxicChange:
    """What a PATCH sets; None where it says nothing."""

    attributes: Mapping[str, int]
    toxicity: float | None
    ttl_ms: int | None

    def applied_to(self, form: NewToxic) -> NewToxic:
        """The form with these values."""
        toxicity = form.toxicity if self.toxicity is None else self.toxicity
        return replace(form, attributes={**form.attributes, **self.attributes}, toxicity=toxicity)


def read_new(value: Any, taken: Any = None) -> NewToxic:
    """A toxic from JSON. Raises GoError, in the order: JSON, stream, type, ``taken(name)``, attributes, values."""
    first = _decoded(value, toxic_fields("NoopToxic", ()), "toxics.ToxicWrapper")
    stream = first.get("stream", "downstream")
    if stream.lower() not in {"upstream", "downstream"}:
        raise INVALID_STREAM
    toxic_type = first.get("type", "")
    name = first.get("name") or f"{toxic_type}_{stream}"
    if toxic_type not in TYPES:
        raise INVALID_TYPE
    if taken is not None:
        taken(name)
    names = tuple(TYPES[toxic_type].attribute_units)
    whole = _decoded(value, toxic_fields(go_name(toxic_type), names), "toxics.ToxicWrapper")
    attributes = {**dict.fromkeys(names, 0), **whole.get("attributes", {})}
    return NewToxic(name, toxic_type, stream, first.get("toxicity", 1.0), attributes, _ttl(first.get("ttl", 0)))


def read_change(value: Any, toxic_type: str) -> ToxicChange:
    """Other settings for a toxic of a type, from JSON. Raises GoError."""
    fields = patch_fields(go_name(toxic_type), tuple(TYPES[toxic_type].attribute_units))
    said = _decoded(value, fields, PATCH_TYPE)
    ttl_ms = _ttl(said["ttl"]) if "ttl" in said else None
    return ToxicChange(said.get("attributes", {}), said.get("toxicity"), ttl_ms)


def _decoded(value: Any, fields: Any, whole: str) -> dict[str, Any]:
    try:
        return decode(value, fields, whole)
    except GoJsonError as error:
        raise bad_body(error) from None


def _ttl(ttl_ms: int) -> int:
    if not 0 <= ttl_ms <= TTL_MAX_MS:
        raise GoError(f"ttl was invalid, must be 0 to {TTL_MAX_MS} ms", 400)
    return ttl_ms
