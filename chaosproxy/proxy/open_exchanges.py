"""The exchanges of a proxy, from their beginning until the last of the answer has left for the client."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Container

from chaosproxy.events import Exchange
from chaosproxy.journal.entry import Entry
from chaosproxy.plan.counters import LocalCounters
from chaosproxy.proxy.account import Account
from chaosproxy.proxy.pump import Pump


class OpenExchanges:
    """``enter`` is called with the entry of each when it is over; ``counters`` know whose turn it is at which rule."""

    def __init__(self, enter: Callable[[Entry], None], counters: LocalCounters) -> None:
        self._enter = enter
        self._counters = counters
        self._pumps: dict[str, Pump] = {}
        self._turns: deque[tuple[str, str]] = deque()  # rules, and exchanges that have got a seat there
        self._undelivered: dict[str, Account] = {}  # ended, and not all of the answer has left for its client
        self.idle = asyncio.Event()
        """Set while there are none."""
        self.idle.set()

    @property
    def pumps(self) -> list[Pump]:
        """Of those under way, upstreams that are still being drained included; the oldest first."""
        return list(self._pumps.values())

    @property
    def under_way(self) -> int:
        """How many these are."""
        return len(self._pumps)

    def at(self, listeners: Container[str]) -> list[Pump]:
        """Those under way at these listeners."""
        return [pump for pump in self._pumps.values() if pump.account.exchange.listener in listeners]

    def accounts(self) -> list[Account]:
        """Of all, those too whose answer is on its way to the client only."""
        return [*(pump.account for pump in self._pumps.values()), *self._undelivered.values()]

    def exchanges(self) -> list[Exchange]:
        """All of them."""
        return [account.exchange for account in self.accounts()]

    def add(self, pump: Pump) -> None:
        """One more."""
        self._pumps[pump.account.exchange.id] = pump
        self.idle.clear()

    def finish(self, account: Account) -> None:
        """Its upstream has nothing more to say to it."""
        exchange_id = account.exchange.id
        del self._pumps[exchange_id]
        if account.delivery is None or account.delivery.over:
            self._close(account)
        else:
            self._undelivered[exchange_id] = account
        self._rest()
        self._pass_seats(exchange_id)

    def delivered(self, account: Account) -> None:
        """No more of its answer can reach its client."""
        if self._undelivered.pop(account.exchange.id, None) is not None:
            self._close(account)
            self._rest()

    def _close(self, account: Account) -> None:
        self._enter(account.entry())
        account.delivery = None  # it refers back here

    def _rest(self) -> None:
        if not self._pumps and not self._undelivered:
            self.idle.set()

    def _pass_seats(self, exchange_id: str) -> None:
        """Let those go on whose turn it is. One that ends at once passes its seat on in turn, not from within."""
        under_way = bool(self._turns)
        self._turns += self._counters.leave(exchange_id)
        while self._turns and not under_way:
            rule_id, following = self._turns[0]
            if following in self._pumps:
                self._pumps[following].heal(rule_id)
            self._turns.popleft()
