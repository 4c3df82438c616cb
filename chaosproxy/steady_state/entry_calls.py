"""Calls of traffic that is not ours, made of what passed the entry listener: the client edge of an external load.

A request there is a call. What it cost is known as far as its name (``x-chaosproxy-call``, a tag, ``traceparent``,
``idempotency-key``) comes back at the other listeners; what cannot be known becomes a doubt, never a guess.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from chaosproxy.journal.traffic import Call, CallError, Edge, ExchangeRecord
from chaosproxy.steady_state.outcome import FLAWED, Doubt, Outcome, Reference, Uncertainty, uncertainty_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chaosproxy.journal.traffic import Underway
    from chaosproxy.steady_state.claims import Claims

EARLY_S = 0.001
"""A request of a call may be noted so long before the call itself: two listeners, one clock, many sockets."""
LEFT = "left"
"""The kind of error of a call whose client left; whether it had to is not known."""
_CUT = {"fin": "incomplete", "reset": "reset"}


class Seen(NamedTuple):
    """A call, what its client got (None: it is still under way), and the requests that it cost."""

    call: Call
    edge: ExchangeRecord | None
    exchanges: tuple[ExchangeRecord, ...]


def is_call(exchange: ExchangeRecord | Underway) -> bool:
    """Whether it asks for an answer in a dialect that we know: no health check, no list of models."""
    return exchange.method == "POST" and exchange.dialect != "raw"


def unended(underway: Iterable[Underway], exchanges: Iterable[ExchangeRecord]) -> list[Underway]:
    """Those that have no record of their end, each once."""
    ended = {exchange.id for exchange in exchanges}
    return list({each.id: each for each in underway if each.id not in ended}.values())


def seen_calls(exchanges: Sequence[ExchangeRecord], underway: Iterable[Underway], claims: Claims) -> list[Seen]:
    """All calls at the entry listener; those of ``underway``, which have not ended, come behind."""
    edges = [exchange for exchange in exchanges if exchange.listener == claims.entry and is_call(exchange)]
    if claims.front is None:
        seen = [Seen(_call_of(edge, claims, tagged=True), edge, (edge,)) for edge in edges]
    else:
        seen = list(_joined(edges, exchanges, claims))
    still = (each for each in underway if each.listener == claims.entry and is_call(each))
    return [*seen, *(Seen(_open_call(each), None, ()) for each in still)]


def own_call(
    exchanges: Sequence[ExchangeRecord], entry: str | None, front: str | None = None
) -> tuple[ExchangeRecord | None, tuple[ExchangeRecord, ...]]:
    """What a call of our own load got at a listener that it calls itself, and the requests that it cost behind that.

    Our load calls nothing but its entry: a call that was seen elsewhere, too, passed a system there, and what that
    passed on is no answer of a backend. None and all of them, where nothing stands in between.
    """
    behind = tuple(each for each in exchanges if each.listener != entry)
    if not behind and front is None:
        return None, tuple(exchanges)
    return next((each for each in reversed(exchanges) if each.listener == entry), None), behind


def uncertainty_at_entry(
    call: Call, edge: ExchangeRecord, reference: Reference | None, outcome: Outcome
) -> Uncertainty | None:
    """As ``uncertainty_of``, and what only a client of ours would know."""
    if call.error is not None and call.error.kind == LEFT:
        return Uncertainty(Doubt.LEFT, frozenset({Outcome.OK, Outcome.TIMEOUT, Outcome.HUNG}))
    if is_unread(edge):
        return Uncertainty(Doubt.UNREAD, FLAWED | {Outcome.ERROR})
    if outcome is Outcome.SILENT_CORRUPT:
        return Uncertainty(Doubt.FLAW, frozenset({Outcome.DUPLICATED, Outcome.LEAKED}))
    return uncertainty_of(call, reference, outcome)


def is_unread(edge: ExchangeRecord) -> bool:
    """Whether a body passed in which nothing could be read: compressed, too large, or without any sense."""
    sent = edge.sent
    told = sent.terminal or sent.finish is not None or sent.error_event or sent.malformed
    answered = sent.status is not None and 200 <= sent.status < 300 and sent.ended == "end"
    return answered and sent.bytes > 0 and sent.first_content_at is None and not sent.text.chars and not told


# --------------------------------------------------------------------------------------------------------------- joins


def _joined(edges: Sequence[ExchangeRecord], exchanges: Sequence[ExchangeRecord], claims: Claims) -> Iterable[Seen]:
    """With the requests behind the entry listener.

    A name that several calls share (a trace, a client's retry) joins none of them. A call cost the requests of its name
    alone, unless one of unknown name began while it was under way: that may be a retry which has lost the name, if none
    of the known ones brought what the client got.
    """
    names = Counter(edge.call for edge in edges if edge.call is not None)
    asked: defaultdict[str, list[ExchangeRecord]] = defaultdict(list)
    unnamed: list[float] = []
    for exchange in exchanges:
        if exchange.listener == claims.entry:
            continue
        if exchange.call is not None and exchange.call in names:
            asked[exchange.call].append(exchange)
        elif is_call(exchange):
            unnamed.append(exchange.began_at)
    for edge in edges:
        name = edge.call if edge.call is not None and names[edge.call] == 1 else None
        mine = tuple(each for each in asked[name] if each.began_at >= edge.began_at - EARLY_S) if name else ()
        shared = edge.call is not None and name is None
        tagged = not shared and (_explained(edge, mine) or not _began_within(unnamed, edge))
        yield Seen(_call_of(edge, claims, tagged=tagged), edge, mine if tagged else ())


def _explained(edge: ExchangeRecord, mine: Sequence[ExchangeRecord]) -> bool:
    """Whether one of these brought the text that the system answered with."""
    text = edge.received.text
    return text.chars > 0 and any(each.sent.text == text for each in mine)


def _began_within(moments: Sequence[float], edge: ExchangeRecord) -> bool:
    end = float("inf") if edge.sent.end_at is None else edge.sent.end_at
    first = bisect_left(moments, edge.began_at - EARLY_S)
    return first < len(moments) and moments[first] <= end


# --------------------------------------------------------------------------------------------------------------- calls


def _call_of(edge: ExchangeRecord, claims: Claims, *, tagged: bool) -> Call:
    sent = edge.sent
    over = sent.ended not in ("none", "unfinished") or sent.terminal
    return Call(
        id=edge.id,
        load="external",
        number=edge.ordinal,
        tagged=tagged,
        api=edge.dialect,
        stream=bool(sent.tokens) if edge.stream is None else edge.stream,
        model=edge.model or "",
        intended_at=edge.began_at,
        sent_at=edge.began_at,
        head_at=sent.head_at,
        first_content_at=sent.first_content_at,
        end_at=sent.end_at if over else None,
        status=sent.status,
        error=_error_of(edge, claims) if over else None,
        finish=sent.finish,
        terminal=sent.terminal,
        chunks=max(sent.tokens, int(sent.first_content_at is not None)),
        text=sent.text,
        output_tokens=sent.output_tokens,
    )


def _error_of(edge: ExchangeRecord, claims: Claims) -> CallError | None:
    """What its client must have noticed."""
    sent = edge.sent
    if sent.status is not None and not 200 <= sent.status < 300:
        return CallError(kind="http", message=str(sent.status))
    if sent.error_event:
        return CallError(kind="event")
    if sent.malformed:
        return CallError(kind="protocol", message="an event is no JSON")
    if sent.terminal or sent.ended == "end":
        return None
    if sent.ended == "gone":
        return CallError(kind="timeout" if _waited_in_vain(edge, sent, claims.client_timeout_s) else LEFT)
    return CallError(kind=_CUT.get(sent.ended, "incomplete"))


def _waited_in_vain(edge: ExchangeRecord, sent: Edge, timeout_s: float | None) -> bool:
    """Whether the client left after its timeout, with nothing of an answer."""
    if timeout_s is None or sent.first_content_at is not None or sent.end_at is None:
        return False
    return sent.end_at - edge.began_at >= timeout_s


def _open_call(underway: Underway) -> Call:
    return Call(
        id=underway.id,
        load="external",
        number=underway.ordinal,
        tagged=False,
        api=underway.dialect,
        stream=bool(underway.stream),
        model=underway.model or "",
        intended_at=underway.began_at,
        sent_at=underway.began_at,
    )
