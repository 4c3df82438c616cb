"""Header fields on their way through: hop-by-hop ones end here (RFC 9110, 7.6.1), the others stay as they came."""

from __future__ import annotations

from collections.abc import Iterable

from chaosproxy.events import Headers, header
from chaosproxy.plan.identity import CALL_HEADER

OURS = "x-chaosproxy-"
ERROR_HEADER = "x-chaosproxy-error"
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_FOR_ALL = frozenset({"content-length"})
"""Never of one hop, whatever ``Connection`` says: without its length a body looks like the next message."""
_NAME_NO_FIELD = ("keep-alive", "close")
"""What ``Connection`` says most of the time."""


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Header fields as text that can be turned back into the very same bytes."""
    return tuple(
        [(name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")) for name, value in raw]
    )


def by_name(headers: Headers) -> dict[str, str]:
    """The first value of each field, by its name in lower case."""
    return {name.lower(): value for name, value in reversed(headers)}


def listed(headers: Headers, name: str) -> set[str]:
    """The comma-separated tokens of all fields of that name, in lower case."""
    values = (value for key, value in headers if key.lower() == name)
    return {token.strip().lower() for value in values for token in value.split(",")}


def media_type(content_type: str | None) -> str:
    """``text/html; charset=utf-8`` as ``text/html``."""
    return (content_type or "").partition(";")[0].strip().lower()


def end_to_end(headers: Headers) -> Headers:
    """Without hop-by-hop fields, those that ``Connection`` names included."""
    kept = [pair for pair in headers if pair[0].lower() not in _HOP_BY_HOP]
    if len(kept) < len(headers):  # perhaps by a Connection, which may name more
        dropped = _dropped(headers)
        kept = [pair for pair in kept if pair[0].lower() not in dropped]
    return tuple(kept)


def _dropped(headers: Headers) -> frozenset[str]:
    for name, value in headers:
        if name.lower() == "connection" and value.lower() not in _NAME_NO_FIELD:
            return _HOP_BY_HOP | (listed(headers, "connection") - _FOR_ALL)
    return _HOP_BY_HOP


def wants_upgrade(headers: Headers) -> bool:
    """Whether the client asks for a WebSocket (other upgrades are not offered, and optional for the client)."""
    upgrade = header(headers, "upgrade")
    return upgrade is not None and upgrade.lower() == "websocket" and "upgrade" in listed(headers, "connection")


def to_upstream(headers: Headers, *, identity: bool) -> Headers:
    """What the upstream is asked with. ``identity`` narrows Accept-Encoding, so that frames can be read and edited, and
    offers no extension of WebSockets: all that are in use compress.

    Host follows the upstream and is set by the client library; Expect was answered by us; of our own control headers
    only the one that names the call goes on.
    """
    dropped = _dropped(headers)
    kept = [pair for pair in headers if (name := pair[0].lower()) not in dropped and _goes_on(name)]
    if wants_upgrade(headers):
        kept += (("Connection", "Upgrade"), ("Upgrade", "websocket"))
    if identity:
        kept = [
            (name, "identity" if name.lower() == "accept-encoding" else value)
            for name, value in kept
            if name.lower() != "sec-websocket-extensions"
        ]
    return tuple(kept)


def _goes_on(name: str) -> bool:
    return name not in ("host", "expect") and (name == CALL_HEADER or not name.startswith(OURS))
