"""Why a call went wrong, in words: from what each listener received and sent, what faults did, and what the client got.

Nothing here knows particular faults: what a fault did to an exchange is read from the difference of its two edges.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaosproxy.journal.traffic import ON_THE_WAY
from chaosproxy.steady_state.entry_calls import LEFT
from chaosproxy.steady_state.outcome import Outcome
from chaosproxy.steady_state.replays import replayed
from chaosproxy.steady_state.samples import retries_too_early

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chaosproxy.journal.traffic import ExchangeRecord, FaultHit
    from chaosproxy.steady_state.claims import PlannedFault
    from chaosproxy.steady_state.history import History, Story


@dataclass(frozen=True, slots=True)
class Cause:
    """Completes the sentence "N calls ..."; ``{most}`` in it stands for the greatest ``wait_s`` of those calls."""

    words: str
    wait_s: float = 0.0


UNTOUCHED = "no fault of ours was involved"
_PASSED_ON = "silent truncation passed on as success by the gateway"
UNJOINED = "which requests they cost is not known, for they carried no tag"
SILENCE_S = 1.0
"""A connection that broke after a longer silence was silent, above all."""
_HOW = {
    "event": "an error event",
    "connect": "a refused connection",
    "reset": "a reset connection",
    "incomplete": "an incomplete answer",
    "protocol": "a broken protocol",
    "usage": "a token count that did not fit the text",
    "timeout": "a timeout",
    "hung": "no end at all",
    "left": "a client that left",
}
_HOW_ENDED = {Outcome.TIMEOUT: "timed out", Outcome.HUNG: "hung"}
_UNHEARD = ("conn.", "partition", "dns.", "tls.", "toxic")
"""Faults that may keep a request from being heard at all."""
_UNREACHABLE = (*_UNHEARD, "http.")
"""Faults that may keep a whole backend from answering; the others only spoil answers."""


def cause_of(history: History, story: Story) -> Cause:
    """Why this call is not a prompt and whole answer."""
    return (
        _left(story)
        or _at_the_entry(history, story)
        or _at_the_clients_edge(history, story)
        or _behind_it(history, story)
    )


def _left(story: Story) -> Cause | None:
    """The client of external traffic hung up."""
    if story.call.error is None or story.call.error.kind != LEFT:
        return None
    words = "waited up to {most} and left before the end of their answers"
    return Cause(f"{words}, by a timeout or by choice", story.end_at - story.sent_at)


def _at_the_entry(history: History, story: Story) -> Cause | None:
    """A fault at the entry listener: what stands behind that could not have helped."""
    if story.edge is None or not (hits := story.hits_on(story.edge)):
        return None
    how = _HOW_ENDED.get(story.outcome) or f"failed with {how_it_failed(story)}"
    if story.answered:
        how = "got late or slow answers" if story.outcome is Outcome.OK else f"ended as {story.outcome}"
    return Cause(f"{how}: {named(history, (hit.fault for hit in hits))} {_did(story.edge)}, the entry itself")


def _at_the_clients_edge(history: History, story: Story) -> Cause | None:
    """A toxic at the listener that clients call: what stands behind that can go round a backend, but not round this."""
    toxics = {fault.id for fault in history.claims.faults if fault.type.startswith("toxic.")}
    for exchange in reversed(story.exchanges if story.admitted else ()):
        if exchange.listener == history.claims.entry and any(hit.fault in toxics for hit in story.hits_on(exchange)):
            how = _HOW_ENDED.get(story.outcome, f"failed with {how_it_failed(story)}")
            return Cause(f"{how}: {_blame_on(history, story, exchange)}, on the client's own connection")
    return None


def _behind_it(history: History, story: Story) -> Cause:
    match story.outcome:
        case Outcome.SILENT_TRUNCATED | Outcome.SILENT_EMPTY:
            return Cause(_cut(history, story))
        case Outcome.SILENT_CORRUPT:
            return Cause(_corrupt(history, story))
        case Outcome.DUPLICATED:
            return Cause(_duplicated(history, story))
        case Outcome.LEAKED:
            return Cause(f"got text of another call: {_blame(history, story)}")
        case Outcome.TIMEOUT | Outcome.HUNG:
            return _waited_in_vain(history, story)
        case Outcome.ERROR:
            return Cause(_failed(history, story))
        case Outcome.UNFINISHED:
            return Cause("had not ended when the journal does")
        case Outcome.OK:
            return _slow(history, story)


def how_it_failed(story: Story) -> str:
    """How the client learned of the failure: "HTTP 502", "an error event"."""
    error = story.call.error
    if error is None or error.kind == "http":
        return f"HTTP {story.call.status}" if story.call.status else "no answer"
    return _HOW.get(error.kind, f"{error.kind} error")


def named(history: History, faults: Iterable[str]) -> str:
    """``stream.truncate (fault 'cut')``, several joined by "and"."""
    types = {fault.id: fault.type for fault in history.claims.faults}
    return " and ".join(f"{types.get(fault, 'a fault')} (fault {fault!r})" for fault in dict.fromkeys(faults))


def too_early(history: History, story: Story) -> Cause | None:
    """How the call came back before its Retry-After; None when it did not."""
    pairs = retries_too_early(story)
    if not pairs:
        return None
    earlier, later = pairs[0]
    asked_s, told_at = earlier.sent.retry_after_s or 0.0, earlier.sent.head_at or earlier.began_at
    blame = _blame_on(history, story, earlier)
    words = f"came back to {earlier.listener} after {{most}} or less: {blame} with Retry-After {asked_s:g} s"
    return Cause(f"{words}, and the gateway did not wait for it", later.began_at - told_at)


# ------------------------------------------------------------------------------------------- what faults did to whom


def _did(exchange: ExchangeRecord) -> str:
    """What became of an exchange under a fault, told from its two edges."""
    sent, received, whose = exchange.sent, exchange.received, exchange.listener
    if sent.status is not None and sent.status >= 400:
        return f"made {whose} answer {sent.status}"
    if sent.error_event and not received.error_event:
        return f"put an error event into {whose}'s stream"
    if sent.ended in ("fin", "reset"):
        return _broke(exchange)
    if sent.first_content_at is None and not sent.text.chars and not (sent.terminal or sent.finish):
        return f"answered for {whose} with nothing" if sent.ended == "end" else f"kept {whose} silent"
    if sent.ended != "end":
        return f"held {whose}'s stream up"
    if exchange.stream and not sent.terminal and sent.finish is None:
        return f"ended {whose}'s stream early"
    if sent.text != received.text:
        return f"changed the text of {whose}'s answer"
    return f"acted on {whose}'s answer"


def _culprits(exchange: ExchangeRecord, hits: Iterable[FaultHit]) -> list[str]:
    """The faults that may have done it: what ended a stream in its midst was the last one to act on it."""
    hits, sent = list(hits), exchange.sent
    in_midst = sent.first_content_at is not None and not (sent.terminal and sent.ended == "end")
    last_at = max((hit.at for hit in hits), default=0.0)
    return [hit.fault for hit in hits if hit.at == last_at or not in_midst or sent.status != 200]


def _on_the_way(hits: Iterable[FaultHit]) -> bool:
    """Whether all of it happened where no listener of ours sees it."""
    return all(hit.detail == ON_THE_WAY for hit in hits)


def _broke(exchange: ExchangeRecord) -> str:
    sent, whose = exchange.sent, exchange.listener
    if sent.first_content_at is not None:
        return f"broke {whose}'s answer off"
    silent_s = (sent.end_at or exchange.began_at) - exchange.began_at
    return f"kept {whose} silent" if silent_s >= SILENCE_S else f"broke the connection to {whose}"


def _blame_on(history: History, story: Story, exchange: ExchangeRecord | None) -> str:
    """Which faults hit this exchange, or at least the call, and what they did."""
    if not story.call.tagged:
        return _replay(history, story) or UNJOINED
    hits = story.hits_on(exchange)
    if exchange is not None and hits:
        did = f"acted on the way to {exchange.listener}" if _on_the_way(hits) else _did(exchange)
        return f"{named(history, _culprits(exchange, hits))} {did}"
    if story.hits:
        others = named(history, (hit.fault for hit in story.hits))
        return f"not this answer but another request of the same call met {others}"
    return UNTOUCHED


def _replay(history: History, story: Story) -> str | None:
    if (replay := replayed(history, story)) is None:
        return None
    what = f"what {named(history, replay.faults)} had left of an earlier answer of {replay.listener}"
    return f"a cache replayed {what} (cache poisoning)"


def _blame(history: History, story: Story) -> str:
    return _blame_on(history, story, story.source)


def _blame_all(history: History, story: Story) -> str:
    """What faults did to every exchange of the call that they hit."""
    if not story.call.tagged:
        return UNJOINED
    deeds: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for exchange in story.exchanges:
        if hits := story.hits_on(exchange):
            did = f"acted on the way to {exchange.listener}" if _on_the_way(hits) else _did(exchange)
            deeds[named(history, _culprits(exchange, hits))][did] = None
    return ", ".join(f"{faults} {' and '.join(did)}" for faults, did in deeds.items()) or UNTOUCHED


# ---------------------------------------------------------------------------------------- answers passed off as whole


def _cut(history: History, story: Story) -> str:
    what = "a cut answer" if story.outcome is Outcome.SILENT_TRUNCATED else "an empty answer"
    return f"got {what} that was passed off as whole: {_blame_cut(history, story)}, and {_ending(story)}"


def _blame_cut(history: History, story: Story) -> str:
    source, blame = story.source, _blame(history, story)
    if blame != UNTOUCHED or source is None:
        return blame
    if source.sent.text.chars > story.call.text.chars:
        return f"{source.listener} sent more than the client got, and {UNTOUCHED}"
    return f"{source.listener} itself sent no more, and {UNTOUCHED}"


def _ending(story: Story) -> str:
    call, sent = story.call, story.source.sent if story.source else None
    end = f"finish_reason {call.finish!r}" if call.finish else "a terminal event"
    if not call.stream:
        return "the client got a complete response around it"
    if not call.terminal and call.finish is None:
        return "it was passed on without any end marker or error"
    invented = sent is not None and (call.finish is not None) > (sent.finish is not None)
    invented = invented or (sent is not None and call.finish is None and call.terminal and not sent.terminal)
    if invented and story.outcome is Outcome.SILENT_TRUNCATED:
        return f"the gateway sent its client a regular end ({end}): {_PASSED_ON}"
    if invented:
        return f"the gateway sent its client a regular end ({end})"
    return f"it was passed on with a regular end ({end})"


def _corrupt(history: History, story: Story) -> str:
    call, source = story.call, story.source
    counted = source is not None and call.output_tokens is not None and source.sent.tokens < call.output_tokens
    unseen = "nobody compared the text with its usage count" if counted else "nobody noticed"
    return f"got a text with parts missing or changed: {_blame(history, story)}, and {unseen}"


def _duplicated(history: History, story: Story) -> str:
    spoke = [exchange for exchange in story.exchanges if exchange.sent.text.chars]
    if len(spoke) < 2:
        return f"got text twice: {_blame_all(history, story)}"
    first, second = spoke[0], spoke[-1]
    again = f"the gateway asked {second.listener} after content of {first.listener} had reached the client"
    return f"got text twice: {_blame_on(history, story, first)}, and {again} (a retry after content)"


# -------------------------------------------------------------------------------------------- calls that failed, late


def _waited_in_vain(history: History, story: Story) -> Cause:
    """A timeout: where the call waited, and which deadline would have saved it."""
    how = "timed out" if story.outcome is Outcome.TIMEOUT else "hung"
    if not story.exchanges:
        return Cause(f"{how} {_unheard(history, story)}")
    in_time = [exchange for exchange in story.exchanges if exchange.began_at <= story.end_at]
    if not in_time:
        return Cause(f"{how} before a request reached {story.exchanges[0].listener}: {_blame_all(history, story)}")
    last = in_time[-1]
    wait_s = story.end_at - last.began_at
    blame = _blame_on(history, story, last)
    if (hits := story.hits_on(last)) and _on_the_way(hits):
        return Cause(f"waited up to {{most}} for {last.listener} and {how}: {blame}, and no deadline ended it", wait_s)
    if last.sent.first_content_at is None:
        place = f"waited up to {{most}} at {last.listener}, which was silent, and {how}"
        return Cause(f"{place}: {blame}, and the gateway set no deadline for the first token", wait_s)
    place = f"waited up to {{most}} for the rest of {last.listener}'s answer and {how}"
    return Cause(f"{place}: {blame}, and the gateway set no deadline between events", story.end_at - _last_word(story))


def _last_word(story: Story) -> float:
    call = story.call
    return call.last_content_at or call.first_content_at or call.head_at or story.sent_at


def _failed(history: History, story: Story) -> str:
    how, blame = how_it_failed(story), _blame_all(history, story)
    if not story.exchanges:
        return f"failed with {how} {_unheard(history, story)}"
    if story.call.text.chars:
        return f"learned of a failure after the first content ({how}): {blame}"
    unasked = _healthy_and_unasked(history, story)
    if unasked:
        others = " and ".join(unasked)
        return f"failed with {how} although {others} was healthy and was never asked (no fallback): {blame}"
    return f"failed with {how}: {blame}"


def _healthy_and_unasked(history: History, story: Story) -> list[str]:
    asked = {exchange.listener for exchange in story.exchanges}
    return [name for name in history.claims.upstreams if name not in asked and _reachable(history, name, story)]


def _reachable(history: History, backend: str, story: Story) -> bool:
    return not any(backend in fault.targets for fault in _acting(history, story, _UNREACHABLE))


def _unheard(history: History, story: Story) -> str:
    """Why no request of the call is known."""
    if not story.call.tagged:
        return f"({UNJOINED})"
    if acting := [fault.id for fault in _acting(history, story, _UNHEARD)]:
        return f"before a request reached a backend: {named(history, acting)} was acting"
    return "although no request reached a backend"


def _acting(history: History, story: Story, kinds: tuple[str, ...]) -> Iterator[PlannedFault]:
    """The faults of some kinds that acted while the call was under way."""
    for fault in history.claims.faults:
        spell = history.timeline.spells.get(fault.id)
        if spell is not None and fault.type.startswith(kinds):
            healed_at = history.timeline.last_at if spell.healed_at is None else spell.healed_at
            if spell.applied_at < story.end_at and story.sent_at < healed_at:
                yield fault


def _slow(history: History, story: Story) -> Cause:
    """A whole answer: where its time went."""
    if len(story.exchanges) < 2:
        return Cause(f"got late or slow answers: {_blame(history, story)}")
    first = story.exchanges[0]
    following = story.exchanges[1]
    blame = _blame_on(history, story, first)
    words = f"waited up to {{most}} at {first.listener} before {following.listener} was asked: {blame}"
    return Cause(words, following.began_at - first.began_at)
