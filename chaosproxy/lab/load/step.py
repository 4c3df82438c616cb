"""One step of a journey as its client saw it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaosproxy.experiment.answers import wrong_with
from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.traffic import Call, CallError

if TYPE_CHECKING:
    from chaosproxy.experiment.load_settings import JourneyStep

BODY_LIMIT_BYTES = 16 * 1024 * 1024
"""As much of a body is kept to be looked at; a step whose answer is longer fails."""
API = "http"
"""What stands in the journal where a call has its API."""


class StepTranscript:
    """Takes a head, data and an end (or a failure), in this order; ``over`` when the step is."""

    def __init__(self, step: JourneyStep, sent_at: float) -> None:
        self._step = step
        self._sent_at = sent_at
        self._body = bytearray()
        self._seen: dict[str, Any] = {}

    @property
    def over(self) -> bool:
        """Whether nothing that may still come matters."""
        return "end_at" in self._seen

    @property
    def completed(self) -> bool:
        """Whether it is over, and done."""
        return self.over and "error" not in self._seen

    def head(self, at: float, status: int) -> None:
        """The status line came."""
        self._seen |= {"head_at": at, "status": status}

    def data(self, at: float, data: bytes) -> None:
        """A piece of the body came."""
        self._body += data
        if len(self._body) > BODY_LIMIT_BYTES:
            self.failed(at, "protocol", f"more than {BODY_LIMIT_BYTES} bytes")

    def end(self, at: float) -> None:
        """The body ended as its framing says."""
        if self.over:
            return
        wrong = wrong_with(self._step.expect, self._seen["status"], bytes(self._body), at - self._sent_at)
        if wrong:
            self.failed(at, "http" if self._seen["status"] >= 400 else "protocol", wrong)
        self._seen.setdefault("end_at", at)

    def failed(self, at: float, kind: str, message: str) -> None:
        """It ended with an error (kinds: journal.traffic.CallError); what comes later than the end is no error."""
        if not self.over:
            self._seen |= {"end_at": at, "error": CallError(kind=kind, message=message)}

    def call(self, facts: dict[str, Any]) -> Call:
        """The record. A status that was expected is a good one, whatever it is elsewhere."""
        seen = {**self._seen, "status": 200} if self.completed else self._seen
        text = fingerprint(self._body.decode("utf-8", "replace"))
        return Call(**facts, sent_at=self._sent_at, terminal=self.completed, text=text, **seen)
