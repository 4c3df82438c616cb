"""What Gemini says when it refuses: a google.rpc.Status.

Sources: cloud.google.com/apis/design/errors, ai.google.dev/gemini-api/docs/troubleshooting.

Where Google is not known to use a status (402, 408, 413, 422, 502, 507, 529), it gets the nearest code.
"""

from __future__ import annotations

from typing import Any

USUAL_RETRY_S = 22.0
"""How long Gemini asks to wait where nothing else is known."""
_OVERLOADED = ("UNAVAILABLE", "The model is overloaded. Please try again later.")
_INTERNAL = ("INTERNAL", "An internal error has occurred. Please retry or report the problem.")
_USUAL = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    402: ("FAILED_PRECONDITION", "Billing is not enabled for this project."),
    403: ("PERMISSION_DENIED", "The caller does not have permission."),
    404: ("NOT_FOUND", "The model is not found, or is not supported for generateContent."),
    408: ("DEADLINE_EXCEEDED", "The request timed out. Please try again."),
    409: ("ABORTED", "The operation was aborted."),
    413: ("INVALID_ARGUMENT", "Request payload size exceeds the limit."),
    422: ("INVALID_ARGUMENT", "The request could not be processed."),
    429: ("RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details."),
    499: ("CANCELLED", "The operation was cancelled."),
    500: _INTERNAL,
    501: ("UNIMPLEMENTED", "The operation is not implemented."),
    502: _OVERLOADED,
    503: _OVERLOADED,
    504: ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
    529: _OVERLOADED,
}
_MESSAGES = dict(reversed(_USUAL.values()))


def error_body(
    status: int, error_type: str | None, message: str | None, retry_s: float | None = None
) -> dict[str, Any]:
    """The body of an error; None means the usual words of the status. A 429 tells when to come back."""
    usual_type, usual_message = _USUAL.get(status, _INTERNAL if status >= 500 else _USUAL[400])
    if error_type is not None:
        usual_message = _MESSAGES.get(error_type, usual_message)
    error: dict[str, Any] = {"code": status, "message": message or usual_message, "status": error_type or usual_type}
    if status == 429:
        delay_s = USUAL_RETRY_S if retry_s is None else retry_s
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{delay_s:.9g}s"}]
    return {"error": error}
