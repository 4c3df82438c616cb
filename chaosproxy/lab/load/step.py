"""One step of a journey as its client saw it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaosproxy.experiment.answers import wrong_with
from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.traffic import Call
from chaosproxy.lab.load.heard import BODY_LIMIT_BYTES, Heard

if TYPE_CHECKING:
    from chaosproxy.experiment.load_settings import JourneyStep

API = "http"
"""What stands in the journal where a call has its API."""


class StepTranscript(Heard):
    """The answer to one step, which is done when it is as expected."""

    def __init__(self, step: JourneyStep, sent_at: float) -> None:
        super().__init__()
        self._step = step
        self._sent_at = sent_at

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

    def call(self, facts: dict[str, Any]) -> Call:
        """The record. A status that was expected is a good one, whatever it is elsewhere."""
        seen = {**self._seen, "status": 200} if self.completed else self._seen
        text = fingerprint(self._body.decode("utf-8", "replace"))
        return Call(**facts, sent_at=self._sent_at, terminal=self.completed, text=text, **seen)
