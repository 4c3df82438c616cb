"""Which method and path is what, and the answers of the router itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from posixpath import normpath

_PATHS = {
    r"/reset": {"POST": "reset"},
    r"/proxies": {"GET": "list_proxies", "POST": "create_proxy"},
    r"/populate": {"POST": "populate"},
    r"/proxies/([^/]+)": {
        "GET": "show_proxy",
        "POST": "update_proxy",
        "PATCH": "update_proxy",
        "DELETE": "delete_proxy",
    },
    r"/proxies/([^/]+)/toxics": {"GET": "list_toxics", "POST": "create_toxic"},
    r"/proxies/([^/]+)/toxics/([^/]+)": {
        "GET": "show_toxic",
        "POST": "update_toxic",
        "PATCH": "update_toxic",
        "DELETE": "delete_toxic",
    },
    r"/version": {"GET": "version"},
}
_ROUTES = [(re.compile(path), methods) for path, methods in _PATHS.items()]


@dataclass(frozen=True, slots=True)
class Route:
    """What is asked for, and the names in the path."""

    action: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The path is not in its shortest form; it is ``location``."""

    location: str


def find(method: str, path: str, *, metrics: bool) -> Route | Elsewhere | int:
    """What answers; 404 for an unknown path, 405 for a method that it does not have.

    ``path`` has its percent signs resolved, so that no name can hold a slash.
    """
    if (clean := _cleaned(path)) != path:
        return Elsewhere(clean)
    if metrics and path == "/metrics":
        return Route("show_metrics")
    for pattern, methods in _ROUTES:
        if match := pattern.fullmatch(path):
            action = methods.get(method)
            return Route(action, match.groups()) if action else 405
    return 404


def _cleaned(path: str) -> str:
    if not path:
        return "/"
    clean = normpath(f"/{path.lstrip('/')}")
    return f"{clean}/" if path.endswith("/") and clean != "/" else clean
