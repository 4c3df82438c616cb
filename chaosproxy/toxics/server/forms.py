"""What a body may hold: keys in any case, unknown ones ignored, ``null`` as if absent; Go's words for a wrong type."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from chaosproxy.toxics.server.go_json import GoJsonError, Members, Number

INT64_MAX = 2**63 - 1
PATCH_TYPE = r'struct { Attributes interface {} "json:\"attributes\""; Toxicity float32 "json:\"toxicity\"" }'
POPULATE_TYPE = r'struct { toxiproxy.Proxy; Enabled *bool "json:\"enabled\"" }'


class Kind(Enum):
    """What a field holds, under the name of Go's type."""

    STRING = "string"
    BOOL = "bool"
    INT = "int64"
    FLOAT = "float32"
    OBJECT = "object"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a form. ``label`` and ``go_type`` stand in messages; ``inner`` are the fields of an object."""

    kind: Kind
    label: str
    go_type: str = ""
    inner: Mapping[str, Field] = field(default_factory=dict)


def decode(value: Any, fields: Mapping[str, Field], whole: str) -> dict[str, Any]:
    """The fields that ``value`` sets; ``whole`` is Go's name of the form. Raises GoJsonError for a wrong type."""
    if value is None:
        return {}
    if not isinstance(value, Members):
        raise GoJsonError(f"json: cannot unmarshal {described(value)} into Go value of type {whole}")
    return _fill(value, fields)


def decode_list(value: Any, fields: Mapping[str, Field], whole: str) -> list[dict[str, Any]]:
    """One dictionary for each element of an array. Raises GoJsonError."""
    if value is None:
        return []
    if not isinstance(value, list) or isinstance(value, Members):
        raise GoJsonError(f"json: cannot unmarshal {described(value)} into Go value of type []{whole}")
    return [decode(item, fields, whole) for item in value]


def described(value: Any) -> str:
    """A JSON value in Go's words."""
    if isinstance(value, bool):
        return "bool"
    names = {Members: "object", list: "array", str: "string", Number: "number"}
    return names[type(value)]


def _fill(members: Members, fields: Mapping[str, Field]) -> dict[str, Any]:
    """A later member wins, member by member in an object."""
    folded = {key.casefold(): key for key in fields}
    found: dict[str, Any] = {}
    for name, value in members:
        key = folded.get(name.casefold())
        if key is None or value is None:
            continue
        read = _read(value, fields[key])
        found[key] = {**found.get(key, {}), **read} if isinstance(read, dict) else read
    return found


def _read(value: Any, wanted: Field) -> Any:
    said = described(value)
    match wanted.kind, value:
        case (Kind.STRING, str()) | (Kind.BOOL, bool()):
            return value
        case Kind.INT, Number(text):
            if text.lstrip("-").isdecimal() and -INT64_MAX - 1 <= int(text[:21]) <= INT64_MAX and len(text) < 21:
                return int(text)
            said = f"number {text}"
        case Kind.FLOAT, Number(text):
            single = _single(float(text))
            if single is not None:
                return single
            said = f"number {text}"
        case Kind.OBJECT, Members():
            return _fill(value, wanted.inner)
        case Kind.LIST, list() if not isinstance(value, Members):
            return value
    go_type = wanted.go_type or wanted.kind.value
    raise GoJsonError(f"json: cannot unmarshal {said} into Go struct field {wanted.label} of type {go_type}")


def _single(value: float) -> float | None:
    """The nearest number of single precision, or None beyond them."""
    try:
        (single,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        return None
    return None if single in {float("inf"), float("-inf")} else float(single)


def proxy_fields(label: str, enabled_label: str | None = None) -> dict[str, Field]:
    """The keys of a proxy; ``toxics`` is ours."""
    return {
        "name": Field(Kind.STRING, f"{label}.name"),
        "listen": Field(Kind.STRING, f"{label}.listen"),
        "upstream": Field(Kind.STRING, f"{label}.upstream"),
        "enabled": Field(Kind.BOOL, enabled_label or f"{label}.enabled"),
        "toxics": Field(Kind.LIST, f"{label}.toxics", "[]toxics.ToxicWrapper"),
    }


def toxic_fields(go_type: str, attributes: Sequence[str]) -> dict[str, Field]:
    """The keys of a new toxic; ``ttl`` (ms) is ours."""
    return {
        "name": Field(Kind.STRING, "ToxicWrapper.name"),
        "type": Field(Kind.STRING, "ToxicWrapper.type"),
        "stream": Field(Kind.STRING, "ToxicWrapper.stream"),
        "toxicity": Field(Kind.FLOAT, "ToxicWrapper.toxicity"),
        "attributes": attributes_field("ToxicWrapper.attributes", go_type, attributes),
        "ttl": Field(Kind.INT, "ToxicWrapper.ttl"),
    }


def patch_fields(go_type: str, attributes: Sequence[str]) -> dict[str, Field]:
    """The keys that change a toxic."""
    return {
        "attributes": attributes_field(".attributes", go_type, attributes),
        "toxicity": Field(Kind.FLOAT, ".toxicity"),
        "ttl": Field(Kind.INT, ".ttl"),
    }


def attributes_field(label: str, go_type: str, attributes: Sequence[str]) -> Field:
    """The whole numbers of one type of toxic."""
    integer = "int" if go_type == "SlicerToxic" else ""
    inner = {key: Field(Kind.INT, f"{go_type}.attributes.{key}", integer) for key in attributes}
    return Field(Kind.OBJECT, label, f"toxics.{go_type}", inner)


def go_name(toxic_type: str) -> str:
    """``limit_data`` -> ``LimitDataToxic``, the name of its type in Go."""
    if toxic_type == "reset_peer":
        return "ResetToxic"
    return "".join(part.capitalize() for part in toxic_type.split("_")) + "Toxic"
