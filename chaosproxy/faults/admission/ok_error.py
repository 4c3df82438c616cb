"""http.ok_error: status 200, and nothing that would be an answer."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosproxy.events import Exchange, Headers
from chaosproxy.faults.admission.answer import OwnAnswer
from chaosproxy.faults.admission.pages import page
from chaosproxy.wire.dialects import dialect

_JSON: Headers = (("content-type", "application/json"),)


class HttpOkError(OwnAnswer):
    """Answer 200 with an error, nothing, ``null`` or a page: gateways that lose the status (open-webui#28938)."""

    type: ClassVar[str] = "http.ok_error"
    symptom: ClassVar[str] = "an empty answer with status 200; streams end at once, and no client raises an error"
    timeline: ClassVar[str] = "client    ask\nupstream  (not asked)\nclient    200 error end"

    body: Literal["error", "empty", "json_null", "html"] = "error"
    """error: the provider's own error body; empty: no byte, called a stream where one was asked for; json_null:
    ``null``; html: a login page."""

    def reply(self, exchange: Exchange) -> tuple[int, Headers, bytes]:
        """What the body says."""
        spoken = dialect(exchange.dialect)
        match self.body:
            case "error":
                return 200, *spoken.error(500, error_type=None, code=None, message=None)
            case "empty":
                return 200, (("content-type", spoken.stream_type if exchange.stream else "application/json"),), b""
            case "json_null":
                return 200, _JSON, b"null"
            case "html":
                return 200, *page("login", 200)
