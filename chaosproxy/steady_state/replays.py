"""Answers that a cache served again: a call of a pool of prompts carries no tag, but its text says where it is from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaosproxy.journal.traffic import ExchangeRecord
    from chaosproxy.steady_state.history import History, Story


@dataclass(frozen=True, slots=True)
class Replay:
    """The faults that spoilt an answer, and the listener that it came from."""

    faults: tuple[str, ...]
    listener: str


def replayed(history: History, story: Story) -> Replay | None:
    """What a call got word for word, if faults had left that of an answer which was over before the call was sent.

    None also while another request has the same words: the call may have asked itself.
    """
    text = story.call.text
    alike = [exchange for exchange in history.exchanges if text.chars and exchange.sent.text == text]
    if any(_ran_meanwhile(exchange, story) for exchange in alike):
        return None
    for exchange in alike:
        faults = tuple(dict.fromkeys(hit.fault for hit in history.hits if hit.exchange == exchange.id))
        if faults and exchange.sent.text != exchange.received.text and exchange.began_at < story.sent_at:
            return Replay(faults, exchange.listener)
    return None


def _ran_meanwhile(exchange: ExchangeRecord, story: Story) -> bool:
    ended_at = math.inf if exchange.sent.end_at is None else exchange.sent.end_at
    return exchange.began_at <= story.end_at and ended_at >= story.sent_at
