"""Listeners whose upstreams are listeners of the same proxy, in a ring: a request there would go round for ever."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from chaosproxy.errors import UserError
from chaosproxy.proxy.listener import ListenerSpec, parse_address

_HERE = frozenset({"", "0.0.0.0", "::", "127.0.0.1", "::1", "localhost"})  # noqa: S104 - names of this machine
_DEFAULT_PORTS = {"http": 80, "https": 443}


def refuse_rings(specs: Sequence[ListenerSpec]) -> None:
    """Raises UserError for a listener whose requests would come back to it; one before another is fine."""
    listens = {spec.name: parse_address(spec.listen) for spec in specs}
    following = {spec.name: _behind(spec, listens) for spec in specs}
    for name in listens:
        way = [name]
        while (step := following[way[-1]]) is not None and step not in way:
            way.append(step)
        if step == name:
            words = "its own upstream" if len(way) == 1 else f"behind itself: {' -> '.join([*way, name])}"
            raise UserError(f"listener {name!r} is {words}; a request would go round for ever")


def _behind(spec: ListenerSpec, listens: dict[str, tuple[str, int]]) -> str | None:
    """The listener of ours that an upstream is."""
    parts = urlsplit(spec.upstream)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    for name, (host, own_port) in listens.items():
        if port == own_port and (parts.hostname == host or {parts.hostname, host} <= _HERE):
            return name
    return None
