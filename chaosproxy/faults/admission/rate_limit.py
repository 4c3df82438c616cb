"""http.rate_limit: 429, always or beyond a rate."""

from __future__ import annotations

from math import ceil, isfinite
from random import Random
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from chaosproxy.events import Exchange, Headers, Travelling
from chaosproxy.faults.admission.answer import answer
from chaosproxy.faults.admission.limits import limit_headers
from chaosproxy.faults.base import Fault, Room, Shortage, Stage
from chaosproxy.faults.stages import Instead
from chaosproxy.units import Flag
from chaosproxy.wire.dialects import dialect


def _verbatim(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class HttpRateLimit(Fault):
    """Answer 429 as the provider does; with a rate, only to requests that exceed it."""

    type: ClassVar[str] = "http.rate_limit"
    room: ClassVar[Room] = Room.ADMISSION
    symptom: ClassVar[str] = "429 too many requests; SDKs wait as retry-after tells them, some for an hour, and retry"
    timeline: ClassVar[str] = "client    ask\nupstream  (not asked)\nclient    429 retry-after body end"
    no_neutral: ClassVar[str | None] = (
        "it always answers instead of the upstream; a rate that is never met gives no stage"
    )

    retry_after: Annotated[str, BeforeValidator(_verbatim), Field(examples=["2", "0.5", "3600"])] | None = None
    """The header's value, sent as it is: seconds, a fraction, an HTTP date, any text. None: the seconds until the rate
    allows the request, and no such header without a rate."""
    retry_after_ms: Annotated[int, Field(ge=0)] | None = None
    """OpenAI's ``retry-after-ms``, which its clients prefer; None: absent."""
    limit_headers: Flag = True
    """Whether the provider's own rate-limit header fields are sent."""
    quota: Flag = False
    """The account is out of credit: OpenAI's 429 insufficient_quota, Anthropic's 402 billing_error; no retry helps."""
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    """Requests within this rate pass. The bucket is full at the start and shared by all exchanges of the fault."""
    tokens_per_minute: Annotated[float, Field(gt=0)] | None = None
    """The same for prompt tokens, estimated at four characters each."""

    @model_validator(mode="after")
    def _one_reason(self) -> HttpRateLimit:
        if self.quota and self.quotas_per_minute():
            raise ValueError(
                "quota=true is an empty account: requests_per_minute and tokens_per_minute do not apply to it"
            )
        return self

    @property
    def stops_upstream(self) -> bool:
        """The answer is ours."""
        return True

    def quotas_per_minute(self) -> dict[str, float]:
        """Those that are set; see ``Metered``."""
        rates = {"requests": self.requests_per_minute, "tokens": self.tokens_per_minute}
        return {name: rate for name, rate in rates.items() if rate is not None}

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """Without a rate: refuses every request; uses no chance."""
        return self._refuse(exchange, None)

    def refusal(self, exchange: Exchange, shortage: Shortage) -> Stage:
        """With a rate: refuses one that is beyond it."""
        return self._refuse(exchange, shortage)

    def _refuse(self, exchange: Exchange, shortage: Shortage | None) -> Stage:
        status = 402 if self.quota and exchange.dialect == "anthropic.messages" else 429
        named = None
        if exchange.dialect.startswith("openai."):
            named = "insufficient_quota" if self.quota else shortage.quota if shortage else None
        headers, body = dialect(exchange.dialect).error(
            status, error_type=named, code=None, message=None, retry_s=self._retry_s(shortage)
        )
        headers += self._hints(shortage)
        if self.limit_headers and not self.quota:
            headers += limit_headers(dialect(exchange.dialect), self.quotas_per_minute(), shortage)

        def reply(at: float) -> list[Travelling]:
            return answer(at, exchange, status, headers, body)

        return Instead(
            exchange, f"answered {status}{f', beyond its {shortage.quota} per minute' if shortage else ''}", reply
        )

    def _retry_s(self, shortage: Shortage | None) -> float | None:
        """The same wait as a number, for a provider that tells it in the body."""
        if self.retry_after is None:
            return ceil(shortage.wait_s) if shortage else None
        try:
            wait_s = float(self.retry_after)
        except ValueError:
            return None
        return wait_s if wait_s >= 0 and isfinite(wait_s) else None

    def _hints(self, shortage: Shortage | None) -> Headers:
        wait = str(ceil(shortage.wait_s)) if shortage else None
        values = {"retry-after": self.retry_after or wait, "retry-after-ms": self.retry_after_ms}
        return tuple((name, str(value)) for name, value in values.items() if value is not None)
