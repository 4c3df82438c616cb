"""http.retry_hint: the server says whether to try again."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import Exchange, Headers
from chaosproxy.faults.admission.answer import OwnAnswer
from chaosproxy.units import Flag
from chaosproxy.wire.dialects import dialect


class HttpRetryHint(OwnAnswer):
    """Answer an error with ``x-should-retry``, which the SDKs of OpenAI and Anthropic obey whatever the status is."""

    type: ClassVar[str] = "http.retry_hint"
    symptom: ClassVar[str] = (
        "an error that is retried although its status says no, or raised at once although it says yes"
    )
    timeline: ClassVar[str] = "client    ask\nupstream  (not asked)\nclient    503 x-should-retry body end"

    should_retry: Flag = False
    """What the header says."""
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    """The status code; 503 when it says no, 400 when it says yes."""

    def reply(self, exchange: Exchange) -> tuple[int, Headers, bytes]:
        """The dialect's own error, and the hint."""
        status = self.status or (400 if self.should_retry else 503)
        headers, body = dialect(exchange.dialect).error(status, error_type=None, code=None, message=None)
        return status, (*headers, ("x-should-retry", str(self.should_retry).lower())), body
