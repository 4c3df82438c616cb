"""Answers that come from us and not from the upstream, and say so."""

from __future__ import annotations

import json

from chaosproxy.events import End, Frame, Framing, Head, Headers
from chaosproxy.proxy.headers import ERROR_HEADER


def own_error(kind: str, words: str) -> tuple[Headers, bytes]:
    """Header fields and body."""
    body = json.dumps({"error": {"message": f"chaosproxy: {words}", "type": "chaosproxy_error", "code": kind}}).encode()
    return (("Content-Type", "application/json"), ("Content-Length", str(len(body))), (ERROR_HEADER, kind)), body


def own_answer(status: int, kind: str, words: str, at: float) -> tuple[Head, Frame, End]:
    """The events of a whole answer."""
    headers, body = own_error(kind, words)
    return Head(at, status, "", headers, Framing.LENGTH), Frame(at, body), End(at)
