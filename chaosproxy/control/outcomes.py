"""What became of one exchange, and why, in the few words that are labels of metrics.

It is judged from its journal record alone, by what the client got; the runner knows more about calls (retries, the
text that should have come), and says more.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from chaosproxy.errors import UpstreamFailed


class Outcome(StrEnum):
    """One per exchange. All but OK are failures."""

    OK = "ok"
    """A whole answer below 400; of a stream at least its finish reason or its terminal event."""
    ERROR = "error"
    """A status from 400 on, or an error event in a stream."""
    CUT = "cut"
    """The connection ended before the answer did, or before there was one."""
    TRUNCATED = "truncated"
    """A stream that ended as a whole body does, without its finish reason and its terminal event."""
    CLIENT_GONE = "client_gone"
    """The client left first."""
    UNFINISHED = "unfinished"
    """The proxy stopped."""


class Cause(StrEnum):
    """Whose failure it is; the first that applies, in this order."""

    UPSTREAM = "upstream"
    INJECTED = "injected"
    CLIENT = "client"
    PROXY = "proxy"


class Fate(StrEnum):
    """What an active fault did with an exchange that it saw."""

    INJECTED = "injected"
    """It took effect."""
    PASSED = "passed"
    """It let the exchange pass: not matched, not drawn, beyond max_hits, within a quota or a cap."""
    NOT_APPLICABLE = "not_applicable"
    """It could do nothing there: no stream, a place that the answer never reached, a body too large to read."""


_BY_ENDING = {"end": None, "gone": Outcome.CLIENT_GONE, "unfinished": Outcome.UNFINISHED}
_SPARED = ("match.", "share:", "max_hits:", "toxicity:", "within its ")
_UNREADABLE = ": not applicable ("
_KINDS = frozenset(
    {
        UpstreamFailed.CONNECT,
        UpstreamFailed.TIMEOUT,
        UpstreamFailed.TLS,
        UpstreamFailed.RESET,
        UpstreamFailed.INCOMPLETE,
        UpstreamFailed.PROTOCOL,
        "event",
    }
)
_INTERNAL = "internal"


def outcome_of(sent: dict[str, Any], *, stream: bool) -> Outcome:
    """The outcome, by the fields of the client's edge of a record; ``stream``: the request asked for one."""
    early = _BY_ENDING.get(sent.get("ended", "none"), Outcome.CUT)
    if early is not None:
        return early
    status = sent.get("status")
    if status is None:
        return Outcome.CUT
    if status >= 400 or sent.get("error_event"):
        return Outcome.ERROR
    if stream and status == 200 and not sent.get("terminal") and sent.get("finish") is None:
        return Outcome.TRUNCATED
    return Outcome.OK


def upstream_error_of(received: dict[str, Any], error: str | None) -> str | None:
    """How the upstream itself failed, by the fields of its edge and the record's ``error``; None: it did not."""
    if error is not None:
        kind = error.partition(":")[0]
        return kind if kind in _KINDS else None
    status = received.get("status") or 0
    return f"http_{status // 100}xx" if 400 <= status <= 599 else None


def cause_of(outcome: Outcome, *, error: str | None, upstream_failed: bool, injected: bool) -> Cause:
    """Whose failure it is."""
    if upstream_failed:
        return Cause.UPSTREAM
    if error is not None and error.startswith(_INTERNAL):
        return Cause.PROXY
    if injected:
        return Cause.INJECTED
    return Cause.CLIENT if outcome is Outcome.CLIENT_GONE else Cause.PROXY


def fate_of(reason: str | None, *, attached: bool) -> Fate:
    """By the ``reason`` of a record's miss (None: there is none), and whether the fault was at work."""
    if reason is None:
        return Fate.INJECTED
    if not attached and reason.startswith(_SPARED) and _UNREADABLE not in reason:
        return Fate.PASSED
    return Fate.NOT_APPLICABLE
