"""What a client promises by default, and which observation breaks it.

It returns the whole text or raises. It does not hang, pass off half an answer, none or another one as whole, say a part
twice, ask upstream again and again, or fail on an answer that came whole and within the protocol. What no client could
know is never held against it: a text that was sent to it as a valid whole answer is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from chaosproxy.search.observation import Observation, Plan


class Flaw(StrEnum):
    """How a promise was broken; the words are those of the outcomes of a run, where there is one."""

    HUNG = "hung"
    SILENT_TRUNCATED = "silent_truncated"
    SILENT_EMPTY = "silent_empty"
    SILENT_CORRUPT = "silent_corrupt"
    DUPLICATED = "duplicated"
    TOO_MANY_REQUESTS = "too_many_requests"
    REJECTED = "rejected"
    """It failed although a whole and legal answer had come."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken promise: ``words`` complete "the call ...". Two with one ``key`` are the same finding."""

    flaw: Flaw
    words: str
    key: str


Promise = Callable[[Plan, Observation], Broken | None]
"""Says how an observation breaks it, or None."""
