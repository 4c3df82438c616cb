"""What all parts of the file's model share: strictness, names and addresses."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field

from chaosproxy.descriptions import Described
from chaosproxy.errors import BadValue

RESERVED_IDS = frozenset({"all", "warmup", "steady", "tail", "start", "origin", "injection", "over", "drained"})
"""Names of windows and marks: no fault may be called like one."""

_NAME = re.compile(r"[A-Za-z_][\w-]*")
_TITLE = re.compile(r"\w[\w .-]{0,99}")
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[\w.-]+")
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]*):(?P<port>\d{1,5})")


class Section(Described):
    """Frozen, strict about unknown keys; the docstrings of fields become descriptions in the JSON Schema."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class TlsFiles(Section):
    """What a TLS listener shows to its clients; ``chaosproxy ca`` makes such files."""

    cert: Annotated[str, Field(min_length=1)]
    """A PEM file: the certificate, and what stands between it and its authority."""
    key: Annotated[str, Field(min_length=1)] | None = None
    """A PEM file: its private key, not encrypted. Default: in the same file."""


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise BadValue(f"a name is letters, digits, _ and -, and begins with a letter, got {text!r}")
    return text


def _title(text: str) -> str:
    if _TITLE.fullmatch(text) is None:
        raise BadValue(f"it names folders, too: letters, digits, spaces, _ . and -, at most 100, got {text!r}")
    return text


def _fault_id(text: str) -> str:
    if text in RESERVED_IDS:
        raise BadValue(f"{text!r} is the name of a window or mark, choose another one")
    return _name(text)


def _listen(text: str) -> str:
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise BadValue(f"expected HOST:PORT, such as 127.0.0.1:9001 (port 0 takes a free one), got {text!r}")
    return f"{match['host'] or '127.0.0.1'}:{match['port']}"


def _host(text: str) -> str:
    if _HOST.fullmatch(text) is None:
        raise BadValue(f"expected a host name or an address, without a port, got {text!r}")
    return text


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone, as far as its name tells."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_url(text: str) -> bool:
    """Whether ``text`` is an http or https URL with a host."""
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        return False


TCP, TLS = "tcp://", "tls://"
"""How an upstream begins whose traffic is bytes, not HTTP; ours to it are in TLS with the second."""


def is_tcp(upstream: str) -> bool:
    """Whether an upstream is a TCP port, well written or not."""
    return upstream.startswith((TCP, TLS))


def without_scheme(url: str) -> str:
    """What is behind tcp:// or tls://; any other text as it is."""
    return url.removeprefix(TCP).removeprefix(TLS)


def tcp_problem(upstream: str) -> str | None:
    """What is wrong with an upstream for which :func:`is_tcp` holds; None when it is ``tcp://HOST:PORT`` or tls."""
    try:
        parts = urlsplit(upstream)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit(TCP)
    rest = parts.path or parts.query or parts.fragment or parts.username or parts.password
    if host and port and not rest:
        return None
    scheme = upstream.partition("://")[0]
    return f"expected {scheme}://HOST:PORT, such as {scheme}://127.0.0.1:6379, got {upstream!r}"


def is_bare(url: str) -> bool:
    """Whether a URL for which :func:`is_url` holds has neither user, query nor fragment."""
    parts = urlsplit(url)
    return not (parts.username or parts.password or parts.query or parts.fragment)


def without_port(url: str) -> str:
    """A URL whose port the run will choose (``${port}``), with a port in its place: so it can be checked."""
    return url.replace("${port}", "1")


def host_of(url: str) -> str:
    """The host of a URL for which :func:`is_url` holds; without brackets or port."""
    return urlsplit(url).hostname or ""


def is_local(url: str) -> bool:
    """Whether a URL's host is this machine."""
    host = host_of(url)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


Name: TypeAlias = Annotated[str, AfterValidator(_name)]
"""The name of a system or backend."""

Host: TypeAlias = Annotated[str, AfterValidator(_host)]
"""A host name or address; IPv6 in brackets."""

Title: TypeAlias = Annotated[str, AfterValidator(_title)]
"""The name of an experiment: words that may also name a folder."""

FaultId: TypeAlias = Annotated[str, AfterValidator(_fault_id)]
"""A name that is no window."""

Listen: TypeAlias = Annotated[str, AfterValidator(_listen)]
"""HOST:PORT; without a host, loopback."""
