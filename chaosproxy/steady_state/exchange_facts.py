"""What one exchange was to the client that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaosproxy.journal.traffic import ExchangeRecord

_FINAL = frozenset({400, 401, 402, 403, 404, 405, 406, 410, 411, 413, 414, 415, 422, 451})
_PASSING = frozenset({408, 409, 425, 429})
_BROKEN = frozenset({"fin", "reset", "timeout", "refused"})


def accepted(exchange: ExchangeRecord) -> bool:
    """Whether the client was told that an answer comes."""
    return exchange.sent.status is not None and 200 <= exchange.sent.status < 300


def is_whole(exchange: ExchangeRecord) -> bool:
    """Whether the client got all of an answer: a stream with its end marker, or a plain answer to its end."""
    ended = exchange.sent.ended == "end" and accepted(exchange)
    return ended and (exchange.stream is not True or exchange.sent.terminal or exchange.sent.finish is not None)


def is_cut(exchange: ExchangeRecord) -> bool:
    """Whether the client got the beginning of a stream, and could see that its end is missing."""
    sent = exchange.sent
    unmarked = exchange.stream is True and not sent.terminal and sent.finish is None
    return accepted(exchange) and unmarked and (sent.ended == "end" or sent.ended in _BROKEN)


def has_failed(exchange: ExchangeRecord) -> bool:
    """Whether the client had a reason to try again, here or elsewhere."""
    if exchange.sent.ended in ("gone", "unfinished") and accepted(exchange):
        return True
    return not is_whole(exchange) and (not accepted(exchange) or exchange.sent.ended != "none")


def is_final(exchange: ExchangeRecord) -> bool:
    """Whether its status says that the same request will never succeed."""
    return exchange.sent.status in _FINAL


def is_passing(exchange: ExchangeRecord) -> bool:
    """Whether it failed before anything of the answer had come, in a way that often passes."""
    status = exchange.sent.status
    if status is None:
        return exchange.sent.ended in _BROKEN
    return status in _PASSING or status >= 500


def name_of(exchange: ExchangeRecord) -> str:
    """As people call it: ``primary#3``."""
    return f"{exchange.listener}#{exchange.ordinal}"
