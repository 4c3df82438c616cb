"""What a client promises by default, and which observation breaks it.

It returns the whole text or raises. It does not hang, pass off half an answer, none or another one as whole, say a part
twice, ask upstream again and again, or fail on an answer that came whole and within the protocol. What no client could
know is never held against it: where a fault sends other words as a valid answer, no text is judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from chaosproxy.faults.base import Fault, Room
from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.traffic import ExchangeRecord
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


REQUESTS_MAX = 5
"""More requests than this for one call are a storm; the SDKs make three."""


def default_promise(requests_max: int = REQUESTS_MAX) -> Promise:
    """The promise of a plain client; ``requests_max`` is how often one call may ask at all listeners together."""

    def judge(plan: Plan, seen: Observation) -> Broken | None:
        if seen.hung:
            return _broken(Flaw.HUNG, f"had neither returned nor raised after {seen.deadline_s:g} s")
        if seen.upstream_requests > requests_max:
            words = f"cost {seen.upstream_requests} requests, and {requests_max} are allowed"
            return _broken(Flaw.TOO_MANY_REQUESTS, words)
        if seen.error is not None:
            return _rejected(plan, seen, seen.error)
        return _flawed(plan, seen, seen.text or "")

    return judge


def _broken(flaw: Flaw, words: str, detail: str = "") -> Broken:
    return Broken(flaw, words, f"{flaw}-{detail}" if detail else str(flaw))


def _flawed(plan: Plan, seen: Observation, text: str) -> Broken | None:
    if text == seen.expected or _was_lied_to(plan, seen):
        return None
    if not text:
        return _broken(Flaw.SILENT_EMPTY, f"returned no text, as if that were the answer {seen.expected!r}")
    if seen.expected.startswith(text):
        return _broken(Flaw.SILENT_TRUNCATED, f"returned {text!r} as if it were all of {seen.expected!r}")
    if seen.restarted:
        return _broken(Flaw.DUPLICATED, f"returned {text!r}, in which the answer begins anew")
    return _broken(Flaw.SILENT_CORRUPT, f"returned {text!r} instead of {seen.expected!r}")


def _was_lied_to(plan: Plan, seen: Observation) -> bool:
    """Whether a fault took effect that sends other words as a valid answer: then no text proves anything."""
    return any(rule.do.type in _LIES or _means_otherwise(rule.do) for rule in plan if rule.id in seen.hit)


_LIES = frozenset(
    {"http.plain_reply", "sse.drop", "sse.duplicate", "sse.reorder", "sse.line_separator", "body.corrupt"}
)
_TOLD_APART = frozenset(
    {"llm.error_event", "llm.foreign_error_event", "llm.no_terminal", "llm.choices", "llm.dialect_swap"}
    | {"llm.finish_reason", "llm.usage", "llm.model_swap"}
)
"""Faults in the meaning that leave the words as they are, or that a reader can see."""


def _means_otherwise(fault: Fault) -> bool:
    return fault.room is Room.SEMANTIC and fault.type not in _TOLD_APART


def _rejected(plan: Plan, seen: Observation, error: str) -> Broken | None:
    said = fingerprint(seen.expected)
    for exchange in seen.exchanges:
        if _is_whole(exchange) and exchange.sent.text == said and all(map(_is_legal, _hit_by(plan, seen, exchange))):
            words = f"raised {error[:_ERROR_CHARS]}, although the whole answer had come and nothing in it was illegal"
            return _broken(Flaw.REJECTED, words, seen.error_type or "")
    return None


_ERROR_CHARS = 100


def _is_whole(exchange: ExchangeRecord) -> bool:
    sent = exchange.sent
    said_its_end = sent.terminal and (sent.finish is not None or exchange.dialect == "openai.responses")
    return sent.status == 200 and sent.ended == "end" and said_its_end and not sent.error_event


def _hit_by(plan: Plan, seen: Observation, exchange: ExchangeRecord) -> list[Fault]:
    """What was done to this exchange, or to the connections of its listener."""
    ids = {hit.fault for hit in seen.hits if hit.exchange in (None, exchange.id)}
    return [rule.do for rule in plan if rule.id in ids]


_LEGAL = frozenset({"sse.comment", "sse.field", "sse.empty", "sse.line_end"})
_MODES = {"sse.utf8": "split", "sse.split": "data_lines"}
"""Faults with one mode that the protocol allows."""


def _is_legal(fault: Fault) -> bool:
    """Whether the protocol allows what it does, so that a client has to bear it; delays it need not bear."""
    return fault.type in _LEGAL or (fault.type in _MODES and getattr(fault, "mode", "") == _MODES[fault.type])
