"""What a fault did to an exchange of a call, in terms in which two faults may be the same."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.traffic import ExchangeRecord
from chaosproxy.search.observation import Observation


class Slot(NamedTuple):
    """An exchange of the call: the ``number``-th at a listener, from 1."""

    listener: str
    number: int

    def __str__(self) -> str:
        return f"{self.listener}#{self.number}"


def slots_of(seen: Observation) -> dict[Slot, ExchangeRecord]:
    """The exchanges of a run, in the order in which they began."""
    counts: dict[str, int] = {}
    found = {}
    for exchange in seen.exchanges:
        counts[exchange.listener] = counts.get(exchange.listener, 0) + 1
        found[Slot(exchange.listener, counts[exchange.listener])] = exchange
    return found


def effect_of(seen: Observation, slot: Slot) -> Hashable:
    """What the client was sent in an exchange, and what it did then; times in orders of magnitude.

    None when the exchange did not happen.
    """
    slots = slots_of(seen)
    if slot not in slots:
        return None
    exchange, sent, whole = slots[slot], slots[slot].sent, fingerprint(seen.expected)
    end_at = exchange.began_at if sent.end_at is None else sent.end_at
    later = [(each, record) for each, record in slots.items() if record.began_at > exchange.began_at]
    pause_s = later[0][1].began_at - end_at if later else None
    told = (
        *(exchange.stream, sent.status, sent.ended, sent.terminal, sent.finish, sent.error_event, sent.retry_after_s),
        *(sent.text == whole, _compared(sent.text.chars, whole.chars), sent.text.chars == 0, sent.bytes == 0),
        _magnitude(end_at - exchange.began_at),
    )
    done = (
        *(tuple(each for each, _ in later), None if pause_s is None else _magnitude(pause_s)),
        *(seen.hung, seen.error_type, seen.text == seen.expected, not seen.text, seen.restarted),
    )
    return (told, done)


def _compared(one: int, other: int) -> int:
    return (one > other) - (one < other)


def _magnitude(seconds: float) -> int:
    """0 below a second, 1 below ten, 2 below a minute, 3 beyond."""
    return sum(seconds >= bound for bound in (1.0, 10.0, 60.0))
