"""Whether what a call gave back may be passed off as a whole answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chaosproxy.steady_state.client_call import ClientCall, Said, Told
from chaosproxy.steady_state.client_findings import ClientDefect, ClientFinding
from chaosproxy.steady_state.exchange_facts import accepted, is_cut, is_whole, name_of

if TYPE_CHECKING:
    from chaosproxy.journal.traffic import ExchangeRecord

SPOILING = frozenset({"sse.malformed", "sse.utf8", "sse.split", "sse.line_separator", "llm.tool_args_cut"})
"""Faults after which a piece of the answer cannot be read, although the stream has its end."""

_TOOL = "llm.tool_args_cut"
"""Whatever a call answers, it cannot rest on arguments that nobody can read."""


def answer_findings(call: ClientCall) -> tuple[tuple[ClientFinding, ...], tuple[str, ...]]:
    """Findings about the answer's text, and doubts. A call that raised, or said that something is missing, has none."""
    if call.told in (Told.RAISED, Told.FLAGGED) or not call.exchanges:
        return (), ()
    flawed = [exchange for exchange in call.exchanges if is_cut(exchange) or _is_spoilt(call, exchange)]
    sound = [exchange for exchange in call.exchanges if is_whole(exchange) and exchange not in flawed]
    if call.said is None:
        return (), () if _speaks_for_it(sound, flawed) else (_unknown(call, "is not known"),)
    if any(call.said.is_(exchange.sent.text) for exchange in sound) or _was_readable(call, call.said):
        return (), ()
    findings = [*_duplicated(call, flawed, sound)] or [*_accepted(call, flawed)] or [*_emptied(call, call.said)]
    if findings:
        return tuple(findings), ()
    hit = bool(sound) and any(not fault.startswith("time.") for fault in call.types_on(sound[-1]))
    if _speaks_for_it(sound, flawed) and not hit:
        return (), ()
    return (), (_unknown(call, "is not the text of any answer"),)


def _is_spoilt(call: ClientCall, exchange: ExchangeRecord) -> bool:
    return accepted(exchange) and bool(SPOILING & call.types_on(exchange))


def _was_readable(call: ClientCall, said: Said) -> bool:
    """Whether the client could read what we have spoilt: its answer is all that a backend had sent."""
    return any(
        exchange.received.text.chars and exchange.received.ended == "end" and said.is_(exchange.received.text)
        for exchange in call.exchanges
        if is_whole(exchange) and _TOOL not in call.types_on(exchange)
    )


def _speaks_for_it(sound: list[ExchangeRecord], flawed: list[ExchangeRecord]) -> bool:
    """Whether a whole answer came, and no broken one after it."""
    return bool(sound) and (not flawed or sound[-1].began_at > flawed[-1].began_at)


def _duplicated(call: ClientCall, flawed: list[ExchangeRecord], sound: list[ExchangeRecord]) -> Iterator[ClientFinding]:
    for broken in flawed:
        for whole in sound:
            if call.said is not None and call.said.repeats(broken.sent.text, whole.sent.text):
                words = f"the answer is what {name_of(broken)} brought, and behind it all of {name_of(whole)}"
                yield ClientFinding(ClientDefect.DUPLICATE_AFTER_FALLBACK, call.id, words, (broken.id, whole.id))
                return


def _accepted(call: ClientCall, flawed: list[ExchangeRecord]) -> Iterator[ClientFinding]:
    for exchange in flawed:
        if call.said is None:
            return
        spoilt = _is_spoilt(call, exchange)
        if spoilt and (call.said.is_(exchange.sent.text) or _TOOL in call.types_on(exchange)):
            words = f"{name_of(exchange)} had something that cannot be read, and the call gave its rest as an answer"
            yield ClientFinding(ClientDefect.MALFORMED_CHUNK_IGNORED, call.id, words, (exchange.id,))
            return
        if call.said.is_(exchange.sent.text):
            yield ClientFinding(ClientDefect.TRUNCATED_STREAM_ACCEPTED, call.id, _cut_words(exchange), (exchange.id,))
            return


def _emptied(call: ClientCall, said: Said) -> Iterator[ClientFinding]:
    """Nothing was given as the answer, although something should have been there."""
    hit = [exchange for exchange in call.exchanges if call.types_on(exchange)]
    if not said.print.chars and hit:
        came = hit[-1].received.text.chars
        faults = ", ".join(sorted(call.types_on(hit[-1])))
        words = f"{name_of(hit[-1])} was hit by {faults}, and the call gave an empty text"
        more = f"; its backend had sent {came} characters" if came else ""
        yield ClientFinding(ClientDefect.TRUNCATED_STREAM_ACCEPTED, call.id, words + more, (hit[-1].id,))


def _cut_words(exchange: ExchangeRecord) -> str:
    sent = exchange.sent
    ended = f"{name_of(exchange)} ended after {sent.text.chars} characters without its end marker"
    return f"{ended}, and these were given as the answer"


def _unknown(call: ClientCall, what: str) -> str:
    last = call.exchanges[-1]
    how = "was broken" if not is_whole(last) else "was not as its backend sent it"
    return (
        f"{call.id}: {name_of(last)} {how} and nobody was asked again, but what the call gave back {what}: "
        "tell its text as it came (answer), the error (raised), or that it says that it is not whole (flagged)"
    )
