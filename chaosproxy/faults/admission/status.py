"""http.status: an error answer in the provider's own words."""

from __future__ import annotations

import json
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from chaosproxy.events import Exchange, Headers
from chaosproxy.faults.admission.answer import OwnAnswer, merged
from chaosproxy.wire.dialects import dialect

_FLAVOURS = {
    "vllm_oom": (500, "InternalServerError", "CUDA out of memory. Tried to allocate 2.00 GiB."),
    "engine_dead": (
        500,
        "InternalServerError",
        "EngineCore encountered an issue. See stack trace (above) for the root cause.",  # vllm/v1/engine/exceptions.py
    ),
    "model_loading": (503, "ServiceUnavailableError", "The model is still loading."),
    "model_not_found": (404, "NotFoundError", "The model does not exist."),
}


class HttpStatus(OwnAnswer):
    """Answer with an error status and the body that this provider sends with it."""

    type: ClassVar[str] = "http.status"
    symptom: ClassVar[str] = "an error status such as 500 or 503 at once; SDKs retry it or raise a status error"
    timeline: ClassVar[str] = "client    ask\nupstream  (not asked)\nclient    503 body end"

    status: Annotated[int, Field(ge=400, le=599, examples=[503])] | None = None
    """The status code; 503 without a flavour, else the flavour's own."""
    error_type: str | None = None
    """The ``type`` in the body; None: what the provider sends with this status."""
    code: str | None = None
    """The ``code`` in the body, where the provider has one."""
    message: str | None = None
    """The message in the body."""
    headers: dict[str, str] = Field(default_factory=dict)
    """More header fields; they replace fields of the same name."""
    flavour: Literal["vllm_oom", "engine_dead", "model_loading", "model_not_found"] | None = None
    """The words of a vLLM server: out of GPU memory, its engine has died, its model is not loaded yet, or not there."""

    @model_validator(mode="after")
    def _its_own_length(self) -> HttpStatus:
        for name in self.headers:
            if name.lower() in ("content-length", "transfer-encoding", "connection"):
                raise ValueError(
                    f"headers.{name} belongs to the framing of the answer, which is not this fault's to break"
                )
        return self

    def reply(self, exchange: Exchange) -> tuple[int, Headers, bytes]:
        """In the dialect's words, or in vLLM's."""
        status, error_type, message = _FLAVOURS[self.flavour] if self.flavour else (503, None, None)
        status, error_type, message = self.status or status, self.error_type or error_type, self.message or message
        if self.flavour and exchange.dialect.startswith("openai."):
            headers: Headers = (("content-type", "application/json"),)
            return status, merged(headers, self.headers), _vllm_body(status, error_type, message, self.code)
        headers, body = dialect(exchange.dialect).error(status, error_type=error_type, code=self.code, message=message)
        return status, merged(headers, self.headers), body


def _vllm_body(status: int, error_type: str | None, message: str | None, code: str | None) -> bytes:
    """The ErrorResponse of vLLM: OpenAI's shape, with the status as its code."""
    return json.dumps(
        {"error": {"message": message, "type": error_type, "param": None, "code": code or status}}
    ).encode()
