"""One upstream as the gateway knows it: address, health, rest, counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from chaosproxy.errors import UpstreamFailed
from chaosproxy.lab.gateway.health import Health, Readiness


@dataclass(slots=True)
class Counts:
    """What happened at one upstream."""

    requests: int = 0
    failures: int = 0
    retries: int = 0
    """Requests of a call that this upstream had already failed."""
    fallbacks: int = 0
    """Calls that it failed and another upstream was asked for."""
    capability_hits: int = 0
    capability_misses: int = 0


@dataclass(slots=True)
class Upstream:
    """Its mutable state; ``resting_until`` is what its own Retry-After asked for."""

    name: str
    url: str
    health: Health
    readiness: Readiness = field(default_factory=Readiness)
    resting_until: float = 0.0
    streams: bool | None = None
    """What its latest answer to a streamed request was, whatever the model; None before the first."""
    streams_since: float | None = None
    counts: Counts = field(default_factory=Counts)

    @property
    def healthy(self) -> bool:
        """Neither its answers nor its probes speak against it."""
        return self.health.healthy and self.readiness.ready


class Refused(UpstreamFailed):
    """The upstream answered with an error status that another attempt may turn into an answer."""

    REFUSED = "refused"

    def __init__(self, status: int, retry_after_s: float | None) -> None:
        self.status = status
        self.retry_after_s = retry_after_s
        super().__init__(self.REFUSED, f"status {status}")

    @property
    def only_busy(self) -> bool:
        """A limit was reached; that is no sign of bad health."""
        return self.status == 429
