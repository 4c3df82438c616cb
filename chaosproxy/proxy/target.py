"""The upstream of a listener, and where in it a request goes.

The base path of an upstream is put before the request's path unless it is there already:

    upstream https://api.openai.com/v1    request /v1/chat/completions  ->  /v1/chat/completions
                                          request /chat/completions     ->  /v1/chat/completions
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from yarl import URL

from chaosproxy.errors import UserError, shown_url

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")


def origin_form(request_target: str) -> str:
    """Path and query of a request's target, in its very bytes.

    A client that takes us for its forward proxy sends a whole URL, whose host means nothing here and whose user-info
    may be a password: neither goes any further. ``*`` stays what it is.
    """
    if request_target.startswith("/"):
        return request_target
    absolute = _ABSOLUTE.match(request_target)
    if absolute is None:
        return request_target
    rest = request_target[absolute.end() :]
    return rest if rest.startswith("/") else f"/{rest}"


class Target:
    """A parsed upstream URL. Raises UserError when it is not one."""

    def __init__(self, url: str) -> None:
        words = f"expected an upstream such as https://api.example.com, got {shown_url(url)!r}"
        try:
            parts = urlsplit(url)
        except ValueError as error:  # half of an IPv6 address
            raise UserError(words) from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(words)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise UserError(f"an upstream has no user, query or fragment: {parts.scheme}://{parts.hostname}")
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.base_path = parts.path.rstrip("/")
        self.host = parts.hostname
        self.secure = parts.scheme == "https"
        try:
            self.port = parts.port or (443 if self.secure else 80)
        except ValueError as error:
            raise UserError(f"expected a port from 1 to 65535 in the upstream {url!r}") from error
        self.authority = URL(self.origin).host_port_subcomponent or parts.netloc
        """What the Host header says."""

    def __str__(self) -> str:
        return self.origin + self.base_path

    def path(self, request_target: str) -> str:
        """Path and query at the upstream, in the very bytes of the request."""
        request_target = origin_form(request_target)
        if request_target == "*":  # OPTIONS about the server, not about a path (RFC 9112, 3.2.4)
            return request_target
        path = request_target.partition("?")[0]
        if path == self.base_path or path.startswith(f"{self.base_path}/"):
            return request_target
        return self.base_path + request_target

    def url(self, request_target: str) -> URL:
        """The URL to ask, never decoded or normalised."""
        return URL(self.origin + self.path(request_target), encoded=True)

    def words_for_404(self, request_target: str) -> str | None:
        """What to check when this upstream answers 404; None when its URL has no base path."""
        if not self.base_path:
            return None
        return (
            f"the upstream has the base path {self.base_path}, so this request went to "
            f"{self.path(request_target).partition('?')[0]}; if that is wrong, change the upstream or the base URL"
        )
