"""What OpenAI says when it refuses: the same words under every API of it.

Sources: platform.openai.com/docs/guides/error-codes, and bodies seen in public issues. Where OpenAI is not known to
use a status (402, 408, 507, 529), the words are those of compatible servers or in their style.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chaosproxy.events import Headers
from chaosproxy.wire.dialects.base import RateLimit
from chaosproxy.wire.foreign_json import dump


@dataclass(frozen=True, slots=True)
class _Words:
    type: str
    code: str | int | None
    message: str


_OVERLOADED = _Words("server_error", None, "The engine is currently overloaded, please try again later")
_USUAL = {
    400: _Words("invalid_request_error", None, "We could not parse the JSON body of your request."),
    401: _Words("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    402: _Words("unknown_error", "invalid_request_error", "Insufficient Balance"),
    403: _Words(
        "request_forbidden", "unsupported_country_region_territory", "Country, region, or territory not supported"
    ),
    404: _Words("invalid_request_error", "model_not_found", "The model does not exist or you lack access to it."),
    408: _Words("server_error", "request_timeout", "Request timed out."),
    409: _Words("invalid_request_error", "conflict", "The resource was changed by another request."),
    413: _Words("invalid_request_error", "request_too_large", "Request body too large."),
    422: _Words("invalid_request_error", None, "Unprocessable entity."),
    429: _Words("requests", "rate_limit_exceeded", "Rate limit reached on requests per min (RPM)."),
    500: _Words("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    502: _Words("cf_bad_gateway", 502, "Bad gateway."),
    503: _OVERLOADED,
    504: _Words("cf_gateway_timeout", 504, "Gateway timeout."),
    507: _Words("server_error", "insufficient_storage", "Not enough memory to serve the model."),
    529: _OVERLOADED,
}
_BY_NAME = {
    "tokens": _Words("tokens", "rate_limit_exceeded", "Rate limit reached on tokens per min (TPM)."),
    "insufficient_quota": _Words(
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "context_length_exceeded": _Words(
        "invalid_request_error", "context_length_exceeded", "Your input exceeds the context window of this model."
    ),
}


class OpenAIErrors:
    """The answers with which OpenAI refuses."""

    def error(
        self,
        status: int,
        *,
        error_type: str | None,
        code: str | None,
        message: str | None,
        retry_s: float | None = None,
    ) -> tuple[Headers, bytes]:
        """A known ``code`` or type, such as insufficient_quota, brings its own message along."""
        del retry_s
        return (("content-type", "application/json"),), dump(error_body(status, error_type, code, message)).encode()

    def limit_headers(self, limit: RateLimit) -> Headers:
        """Resets are spans, written as Go durations."""
        reset = go_duration(limit.reset_s)
        return (
            ("x-ratelimit-limit-requests", str(limit.requests)),
            ("x-ratelimit-limit-tokens", str(limit.tokens)),
            ("x-ratelimit-remaining-requests", str(limit.remaining_requests)),
            ("x-ratelimit-remaining-tokens", str(limit.remaining_tokens)),
            ("x-ratelimit-reset-requests", reset),
            ("x-ratelimit-reset-tokens", reset),
        )


def error_body(status: int, error_type: str | None, code: str | None, message: str | None) -> dict[str, Any]:
    """The body of an error; None means the usual words of the status."""
    words = _words(status, error_type, code)
    error = {"message": message or words.message, "type": error_type or words.type, "param": None}
    return {"error": {**error, "code": code or words.code}}


def go_duration(seconds: float) -> str:
    """Text as Go prints a time.Duration: ``6m0s``, ``1.5s``, ``20ms``; rounded to milliseconds."""
    milliseconds = round(seconds * 1000)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest / 1000:g}s"
    return f"{hours}h{minutes}m{tail}" if hours else f"{minutes}m{tail}" if minutes else tail


def _words(status: int, error_type: str | None, code: str | None) -> _Words:
    named = _BY_NAME.get(code or "") or _BY_NAME.get(error_type or "")
    if named is not None:
        return named
    fallback = _USUAL[500] if status >= 500 else _Words("invalid_request_error", None, "Invalid request.")
    return _USUAL.get(status, fallback)
