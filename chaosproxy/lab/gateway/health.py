"""Whether an upstream may be asked: a circuit breaker that counts failures in a row.

    healthy --too many failures--> unhealthy --cooldown--> one trial --success--> healthy
                                       ^----------------- failure -----'

The trial is a live request, not a synthetic one: only an answer that flows proves that answers flow, and its user
loses no more than a short deadline, because it falls back like any other. Time is an argument, in seconds.
"""

from __future__ import annotations

from enum import Enum, auto


class Admission(Enum):
    """As what a request was let through."""

    NORMAL = auto()
    TRIAL = auto()


class Health:
    """The state of one upstream."""

    def __init__(self, *, unhealthy_after: int, cooldown_s: float, now: float) -> None:
        self._unhealthy_after = unhealthy_after
        self._cooldown_s = cooldown_s
        self._trial_from = now
        self._on_trial = False
        self.healthy = True
        self.since = now
        """When it became what it is."""
        self.failures_in_row = 0

    def admit(self, now: float) -> Admission | None:
        """Let a request through, or not. Tell the end of each one with the admission that it got here."""
        if self.healthy:
            return Admission.NORMAL
        if self._on_trial or now < self._trial_from:
            return None
        self._on_trial = True
        return Admission.TRIAL

    def succeeded(self, admission: Admission, now: float) -> None:
        """A whole answer came: one is enough, whoever got it."""
        self.abandoned(admission)
        self.failures_in_row = 0
        if not self.healthy:
            self.healthy, self.since = True, now

    def failed(self, admission: Admission, now: float) -> None:
        """No whole answer came. Late failures of requests that were let through before do not extend the cooldown."""
        self.abandoned(admission)
        self.failures_in_row += 1
        if self.healthy and self.failures_in_row > self._unhealthy_after:
            self.healthy, self.since = False, now
            self._trial_from = now + self._cooldown_s
        elif admission is Admission.TRIAL:
            self._trial_from = now + self._cooldown_s

    def abandoned(self, admission: Admission) -> None:
        """The request ended without a verdict on the upstream: its client left, or it was at fault itself."""
        if admission is Admission.TRIAL:
            self._on_trial = False


class Readiness:
    """What probes say about one upstream: so many failures in a row take it out, one success takes it in again."""

    def __init__(self, out_after: int = 1) -> None:
        self._out_after = out_after
        self.ready = True
        self.failures_in_row = 0

    def told(self, *, good: bool) -> bool:
        """Take in the end of one probe; whether that has changed something."""
        self.failures_in_row = 0 if good else self.failures_in_row + 1
        before, self.ready = self.ready, self.failures_in_row < self._out_after
        return before is not self.ready
