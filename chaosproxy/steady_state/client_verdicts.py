"""What the exchanges of a call, and what came of it, say about its client. Pure: records in, findings out.

A client that notices a broken answer and says so, or goes elsewhere and brings the whole one, has done well, whatever
it met. What was passed off as an answer is judged by its text, never by the number of requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from chaosproxy.steady_state.client_answers import answer_findings
from chaosproxy.steady_state.client_call import ClientCall, Told
from chaosproxy.steady_state.client_findings import ClientDefect, ClientFinding, ClientJudgement
from chaosproxy.steady_state.exchange_facts import accepted, has_failed, is_final, is_passing, name_of
from chaosproxy.steady_state.samples import ABANDON_GRACE_S, pairs_too_early

if TYPE_CHECKING:
    from chaosproxy.journal.traffic import ExchangeRecord

RETRIES_MAX = 10
"""More of them in one call are a storm."""
BACKOFF_MIN_S = 0.02
"""A shorter pause before a retry is none; one retry without a pause is no finding, two in a row are."""
PATIENCE_S = 60.0
"""Who waits longer for the next event has no read timeout."""
WAIT_MAX_S = 60.0
"""A longer Retry-After may be declined."""
SILENT = frozenset(
    {
        "conn.blackhole",
        "conn.lost_response",
        "conn.slow_accept",
        "partition",
        "time.first_byte",
        "time.keepalive_only",
        "time.linger",
        "time.stall",
        "toxic.timeout",
    }
)
"""Faults after which nothing comes that a client could go on with."""
_HINTED = "http.retry_hint"
_ABOUT_THE_REQUEST = frozenset({400, 413, 414, 415, 422})
"""What another body may cure."""

Check: TypeAlias = "Callable[[ClientCall], Iterator[ClientFinding]]"


def judge_call(call: ClientCall) -> ClientJudgement:
    """Every finding, and every doubt."""
    findings, doubts = answer_findings(call)
    return ClientJudgement((*(finding for check in _CHECKS for finding in check(call)), *findings), doubts)


def _retry_after_ignored(call: ClientCall) -> Iterator[ClientFinding]:
    for earlier, later in pairs_too_early(call.exchanges):
        if earlier.model == later.model and earlier.sent.head_at is not None:
            after_s = later.began_at - earlier.sent.head_at
            words = f"{name_of(earlier)} said {earlier.sent.status} and Retry-After {earlier.sent.retry_after_s:g} s"
            yield _found(
                ClientDefect.RETRY_AFTER_IGNORED,
                call,
                f"{words}, and {name_of(later)} came after {after_s:.2f} s",
                earlier,
                later,
            )


def _retried_non_retryable(call: ClientCall) -> Iterator[ClientFinding]:
    for attempts in _attempts(call):
        final = [(earlier, later) for earlier, later in pairwise(attempts) if is_final(earlier)]
        final = [pair for pair in final if _same(call, *pair) and _HINTED not in call.types_on(pair[0])]
        refused = [pair for pair in final if pair[0].sent.status == 401]
        if len(refused) == 1:  # a fresh key deserves one more try
            final = [pair for pair in final if pair not in refused]
        if final:
            earlier, later = final[0]
            words = f"{name_of(earlier)} said {earlier.sent.status}, and {name_of(later)} asked the same again"
            more = f" ({len(final)} times)" if len(final) > 1 else ""
            yield _found(ClientDefect.RETRIED_NON_RETRYABLE, call, words + more, earlier, later)


def _same(call: ClientCall, earlier: ExchangeRecord, later: ExchangeRecord) -> bool:
    """Whether the very same request came again; one that was changed after a complaint about it is no retry.

    Requests that carry the call's name are counted by that, and not by their bodies.
    """
    if earlier.call == call.id:
        return earlier.sent.status not in _ABOUT_THE_REQUEST
    return later.occurrence > earlier.occurrence


def _retry_storm(call: ClientCall) -> Iterator[ClientFinding]:
    retries = [later for earlier, later in pairwise(call.exchanges) if has_failed(earlier)]
    if len(retries) > RETRIES_MAX:
        took_s = retries[-1].began_at - call.exchanges[0].began_at
        words = f"{len(retries)} more requests after failures, within {took_s:.2f} s; {RETRIES_MAX} are the limit"
        yield _found(ClientDefect.RETRY_STORM, call, words, *retries)


def _no_backoff(call: ClientCall) -> Iterator[ClientFinding]:
    for attempts in _attempts(call):
        hasty = [_is_hasty(earlier, later) for earlier, later in pairwise(attempts)]
        if any(map(all, pairwise(hasty))):
            count = sum(hasty)
            first = hasty.index(True)
            since = name_of(attempts[first + 1])
            words = f"{count} retries from {since} on came less than {BACKOFF_MIN_S:g} s after a failure"
            yield _found(ClientDefect.NO_BACKOFF, call, words, *attempts[first:])


def _is_hasty(earlier: ExchangeRecord, later: ExchangeRecord) -> bool:
    ended_at = earlier.sent.end_at
    if ended_at is None or earlier.sent.retry_after_s is not None or not is_passing(earlier):
        return False
    return 0 <= later.began_at - ended_at < BACKOFF_MIN_S


def _gave_up(call: ClientCall) -> Iterator[ClientFinding]:
    if call.told not in (Told.RAISED, Told.FLAGGED) or len(call.exchanges) != 1:
        return
    (only,) = call.exchanges
    told_to_wait = (only.sent.retry_after_s or 0.0) > WAIT_MAX_S
    excused = (SILENT | {_HINTED}) & call.types_on(only)  # who waited until a timeout has done what it could
    if is_passing(only) and not told_to_wait and not excused:
        how = "broke off" if only.sent.status is None else f"said {only.sent.status}"
        yield _found(ClientDefect.GAVE_UP, call, f"{name_of(only)} {how}, and nobody was asked again", only)


def _no_read_timeout(call: ClientCall) -> Iterator[ClientFinding]:
    for exchange in call.exchanges:
        silent_since = call.last_hit_at(exchange, SILENT)
        if silent_since is None:
            continue
        end_at = call.judged_at if exchange.sent.end_at is None else exchange.sent.end_at
        waited_s = min(end_at, call.ended_at) - silent_since
        cut_off = exchange.sent.ended == "unfinished"
        if waited_s > PATIENCE_S or cut_off:
            until = ", until the test's deadline cut it off" if cut_off else ""
            words = f"{name_of(exchange)} was silent, and its client waited for {waited_s:.2f} s{until}"
            yield _found(ClientDefect.NO_READ_TIMEOUT, call, words, exchange)


def _upstream_abandoned(call: ClientCall) -> Iterator[ClientFinding]:
    limit = call.ended_at + ABANDON_GRACE_S
    for exchange in call.exchanges:
        open_until = call.judged_at if exchange.sent.end_at is None else exchange.sent.end_at
        if accepted(exchange) and open_until > limit and exchange.sent.ended != "unfinished":
            still = "and is still open" if exchange.sent.end_at is None else "after"
            words = (
                f"{name_of(exchange)} went on for {open_until - call.ended_at:.2f} s {still}: its client had left it"
            )
            yield _found(ClientDefect.UPSTREAM_ABANDONED, call, words, exchange)


_CHECKS: tuple[Check, ...] = (
    _retry_after_ignored,
    _retried_non_retryable,
    _retry_storm,
    _no_backoff,
    _gave_up,
    _no_read_timeout,
    _upstream_abandoned,
)


def _attempts(call: ClientCall) -> list[list[ExchangeRecord]]:
    """The exchanges that ask the same of the same: one list per listener, path and model."""
    found: dict[tuple[str, str, str | None], list[ExchangeRecord]] = {}
    for exchange in call.exchanges:
        found.setdefault((exchange.listener, exchange.path, exchange.model), []).append(exchange)
    return list(found.values())


def _found(defect: ClientDefect, call: ClientCall, evidence: str, *exchanges: ExchangeRecord) -> ClientFinding:
    return ClientFinding(defect, call.id, evidence, tuple(exchange.id for exchange in exchanges))
