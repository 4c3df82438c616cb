"""From a body to proxies: required keys, and what an absent one means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chaosproxy.toxics.server.forms import POPULATE_TYPE, decode, decode_list, proxy_fields
from chaosproxy.toxics.server.go_json import GoJsonError, read_first
from chaosproxy.toxics.server.go_text import TOXIC_EXISTS, GoError, bad_body, missing
from chaosproxy.toxics.server.toxic_forms import NewToxic, read_new


@dataclass(frozen=True, slots=True)
class NewProxy:
    """A proxy that is to be created, with its toxics (ours: the reference ignores them)."""

    name: str
    upstream: str
    listen: str
    enabled: bool
    toxics: tuple[NewToxic, ...]


def read_json(body: bytes) -> Any:
    """The first value of a body. Raises GoError."""
    try:
        return read_first(body)
    except GoJsonError as error:
        raise bad_body(error) from None


def read_proxy(body: bytes) -> NewProxy:
    """One proxy. Raises GoError."""
    try:
        said = decode(read_json(body), proxy_fields("Proxy"), "toxiproxy.Proxy")
    except GoJsonError as error:
        raise bad_body(error) from None
    return _proxy(said, "")


def read_proxies(body: bytes) -> list[NewProxy]:
    """The array of ``/populate`` and of a configuration file; all of it is right, or GoError is raised."""
    try:
        items = decode_list(read_json(body), proxy_fields(".Proxy", ".enabled"), POPULATE_TYPE)
    except GoJsonError as error:
        raise bad_body(error) from None
    return [_proxy(said, f" at proxy {number}") for number, said in enumerate(items, 1)]


def read_update(body: bytes) -> dict[str, Any]:
    """The keys among listen, upstream and enabled that change. Raises GoError."""
    try:
        return decode(read_json(body), proxy_fields("Proxy"), "toxiproxy.Proxy")
    except GoJsonError as error:
        raise bad_body(error) from None


def _proxy(said: dict[str, Any], where: str) -> NewProxy:
    for key in ("name", "upstream"):
        if not said.get(key):
            raise missing(f"{key}{where}")
    try:
        toxics = tuple(_toxics(said.get("toxics", ())))
    except GoError as error:
        raise GoError(f"{error.message}{where}", error.status) from None
    return NewProxy(said["name"], said["upstream"], said.get("listen", ""), said.get("enabled", True), toxics)


def _toxics(values: Any) -> Iterator[NewToxic]:
    names: set[str] = set()
    for value in values:
        form = read_new(value)
        form.toxic()
        if form.name in names:
            raise TOXIC_EXISTS
        names.add(form.name)
        yield form
