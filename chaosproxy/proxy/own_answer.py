"""Answers that come from us and not from the upstream, and say so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from chaosproxy.events import End, Frame, Framing, Head, Headers
from chaosproxy.proxy.headers import ERROR_HEADER


@dataclass(frozen=True, slots=True)
class Page:
    """A whole answer of ours that is no error."""

    content_type: str
    body: bytes
    status: int = 200

    def events(self) -> tuple[Head, Frame, End]:
        """The events of its answer."""
        headers = (("Content-Type", self.content_type), ("Content-Length", str(len(self.body))))
        return Head(0.0, self.status, "", headers, Framing.LENGTH), Frame(0.0, self.body), End(0.0)


Pages = Callable[[str, Headers], Page | None]
"""Our answer to a GET of a target (path and query) with these fields, if we have one."""


def own_error(kind: str, words: str) -> tuple[Headers, bytes]:
    """Header fields and body."""
    body = json.dumps({"error": {"message": f"chaosproxy: {words}", "type": "chaosproxy_error", "code": kind}}).encode()
    return (("Content-Type", "application/json"), ("Content-Length", str(len(body))), (ERROR_HEADER, kind)), body


def own_answer(status: int, kind: str, words: str, at: float) -> tuple[Head, Frame, End]:
    """The events of a whole answer."""
    headers, body = own_error(kind, words)
    return Head(at, status, "", headers, Framing.LENGTH), Frame(at, body), End(at)
