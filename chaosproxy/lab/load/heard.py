"""What a client has heard of an answer so far. Pure."""

from __future__ import annotations

from typing import Any

from chaosproxy.journal.traffic import CallError

BODY_LIMIT_BYTES = 16 * 1024 * 1024
"""The longest body, or single event, that is read; a longer one fails its call."""


class Heard:
    """Takes a head, data and an end (or a failure), in this order; ``over`` when nothing more is to come."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._seen: dict[str, Any] = {}

    @property
    def over(self) -> bool:
        """Whether nothing that may still come matters."""
        return "end_at" in self._seen

    @property
    def completed(self) -> bool:
        """Whether it is over without an error."""
        return self.over and "error" not in self._seen

    def head(self, at: float, status: int) -> None:
        """The status line came."""
        self._seen |= {"head_at": at, "status": status}

    def failed(self, at: float, kind: str, message: str) -> None:
        """It ended with an error (kinds: journal.traffic.CallError); what comes later than the end is no error."""
        if not self.over:
            self._seen |= {"end_at": at, "error": CallError(kind=kind, message=message)}
