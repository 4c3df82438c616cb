"""What someone sees who looks at the open exchanges: those that were silent for longest, and for how long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest

from chaosproxy.proxy.account import Account


@dataclass(frozen=True, slots=True)
class OpenExchange:
    """One exchange under way, as its client sees it. ``silent_s`` is since the newest piece of the answer (or since it
    began), ``gap_s`` lies between that piece and the one before it; None: nothing came yet.
    """

    id: str
    listener: str
    method: str
    path: str
    model: str | None
    stream: bool
    status: int | None
    age_s: float
    silent_s: float
    gap_s: float | None
    tokens: int
    bytes: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenOnes:
    """All that are under way: ``asked`` says by listener how many have been brought to the upstream."""

    count: int
    asked: Counter[str]
    silent: tuple[OpenExchange, ...]
    """The ones that were silent for longest, in that order."""


def look_at(accounts: Sequence[Account], now: float, most: int) -> OpenOnes:
    """At most ``most`` of them are told about; ``now`` is on the proxy's clock."""
    asked = Counter([account.exchange.listener for account in accounts if account.asked_at is not None])
    silent = nlargest(most, accounts, key=lambda account: now - account.began_at - account.sent.tally.last_at)
    return OpenOnes(len(accounts), asked, tuple([_seen(account, now) for account in silent]))


def _seen(account: Account, now: float) -> OpenExchange:
    exchange, tally = account.exchange, account.sent.tally
    age_s = now - account.began_at
    seen = tally.seen
    return OpenExchange(
        id=exchange.id,
        listener=exchange.listener,
        method=exchange.method,
        path=exchange.path,
        model=exchange.model,
        stream=exchange.stream is True,
        status=account.sent.status,
        age_s=age_s,
        silent_s=age_s - tally.last_at,
        gap_s=tally.gap_s if tally.last_at else None,
        tokens=seen.tokens,
        bytes=seen.bytes,
        faults=tuple(account.attached),
    )
