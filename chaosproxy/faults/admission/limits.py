"""What a provider tells about its limits beside a 429."""

from __future__ import annotations

from chaosproxy.events import Headers
from chaosproxy.faults.base import Shortage
from chaosproxy.wire.dialects.base import Dialect, RateLimit

_USUAL_PER_MINUTE = {"requests": 500, "tokens": 30_000}
"""Where no rate is set: OpenAI's first paid tier."""
_USUAL_RESET_S = 1.0


def limit_headers(spoken: Dialect, per_minute: dict[str, float], shortage: Shortage | None) -> Headers:
    """The provider's header fields: the quota that is short has nothing left, the other one is told as full."""
    empty = shortage.quota if shortage else "requests"
    limit = {name: round(per_minute.get(name, usual)) for name, usual in _USUAL_PER_MINUTE.items()}
    left = {name: 0 if name == empty else size for name, size in limit.items()}
    reset_s = shortage.wait_s if shortage else _USUAL_RESET_S
    return spoken.limit_headers(
        RateLimit(limit["requests"], left["requests"], limit["tokens"], left["tokens"], reset_s)
    )
