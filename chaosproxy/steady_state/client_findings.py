"""The ten things that clients of LLM servers do wrong, and what to do about each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class ClientDefect(StrEnum):
    """One behaviour of a client."""

    RETRY_AFTER_IGNORED = "retry_after_ignored"
    RETRIED_NON_RETRYABLE = "retried_non_retryable"
    RETRY_STORM = "retry_storm"
    TRUNCATED_STREAM_ACCEPTED = "truncated_stream_accepted"
    MALFORMED_CHUNK_IGNORED = "malformed_chunk_ignored"
    NO_BACKOFF = "no_backoff"
    GAVE_UP = "gave_up"
    NO_READ_TIMEOUT = "no_read_timeout"
    DUPLICATE_AFTER_FALLBACK = "duplicate_after_fallback"
    UPSTREAM_ABANDONED = "upstream_abandoned"


ADVICE: Mapping[ClientDefect, str] = MappingProxyType(
    {
        ClientDefect.RETRY_AFTER_IGNORED: "wait as long as Retry-After says before you ask the same backend "
        "again, or ask another one meanwhile",
        ClientDefect.RETRIED_NON_RETRYABLE: "raise at once: only a changed request, or another backend, can succeed",
        ClientDefect.RETRY_STORM: "bound the retries of a call, over all layers together: each layer multiplies them",
        ClientDefect.TRUNCATED_STREAM_ACCEPTED: "count a stream as whole only when its end marker has come ([DONE], "
        "message_stop, a finish reason); else raise, or ask again",
        ClientDefect.MALFORMED_CHUNK_IGNORED: "an event or tool arguments that cannot be read are lost text: "
        "raise, or ask again, and never skip them",
        ClientDefect.NO_BACKOFF: "wait between retries, longer each time and with jitter",
        ClientDefect.GAVE_UP: "try again after a failure that passes (408, 409, 429, 5xx, a broken connection), or ask "
        "another backend",
        ClientDefect.NO_READ_TIMEOUT: "set a timeout on the gap between events: a connection that stays open is no "
        "sign of life",
        ClientDefect.DUPLICATE_AFTER_FALLBACK: "drop what the broken stream has brought before you pass on "
        "another answer, or raise",
        ClientDefect.UPSTREAM_ABANDONED: "close the response when you leave it: the backend goes on computing, and "
        "bills for it",
    }
)
"""What to do instead, one sentence each."""


@dataclass(frozen=True, slots=True)
class ClientFinding:
    """One defect in one call. ``exchanges`` are the ids of those that show it."""

    defect: ClientDefect
    call: str
    evidence: str
    exchanges: tuple[str, ...] = ()

    @property
    def advice(self) -> str:
        """What to do instead."""
        return ADVICE[self.defect]

    def __str__(self) -> str:
        return f"{self.defect} ({self.call}): {self.evidence}\n    {self.advice}"


@dataclass(frozen=True, slots=True)
class ClientJudgement:
    """What a call shows. ``doubts`` say what could not be known, and what would have to be told."""

    findings: tuple[ClientFinding, ...] = ()
    doubts: tuple[str, ...] = ()
