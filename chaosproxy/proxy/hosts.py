"""What a listener does with its connections: those that speak HTTP, with toxics between them and their sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from chaosproxy.plan.plan import Active
from chaosproxy.proxy.account import Account
from chaosproxy.proxy.capacity import Capacity
from chaosproxy.proxy.client_wire import HttpWire
from chaosproxy.proxy.connection import Connection, Receive, Refused
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.placing import stages_of
from chaosproxy.proxy.tcp.poisoned import Poisoned
from chaosproxy.proxy.timers import Timers
from chaosproxy.proxy.turned_away import TurnedAway
from chaosproxy.proxy.witness import HttpWitness, Ledger


class Guest(Protocol):
    """An accepted connection."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """Of the client's socket; None when that is closed."""

    @property
    def busy(self) -> bool:
        """Whether something is under way on it."""

    def close_when_idle(self) -> None:
        """Close now, or when nothing is under way any more."""


class Host(Protocol):
    """Makes the connections of one listener."""

    @property
    def scheme(self) -> str:
        """Of the listener's URL."""

    def admit(self, number: int, gone: Callable[[Guest], None]) -> tuple[Guest, asyncio.Protocol]:
        """The number-th connection, and the protocol of its socket; ``gone`` is called when it has ended."""

    def turn_away(self, capacity: Capacity) -> asyncio.Protocol:
        """One connection too many."""

    def passed_bytes(self) -> tuple[int, int]:
        """What open connections have passed on that no record counts yet: to the upstream, and to clients."""

    def place(self, acting: Sequence[Active]) -> None:
        """From now on these rules act on connections, below HTTP, and no others."""

    def close(self) -> None:
        """Nothing goes on after this."""


class HttpHost:
    """Connections for HTTP. Toxics come between them and their sockets while there are any, and cost nothing before."""

    def __init__(
        self,
        receive: Receive,
        limits: Limits,
        refused: Refused,
        ledger: Ledger,
        timers: Timers,
    ) -> None:
        self._receive = receive
        self._limits = limits
        self._refused = refused
        self._ledger = ledger
        self._timers = timers
        self._placed: dict[str, Active] = {}
        self._connections: set[Connection] = set()
        self._poisoned: set[Poisoned] = set()

    @property
    def scheme(self) -> str:
        return "http"

    def admit(self, number: int, gone: Callable[[Guest], None]) -> tuple[Guest, asyncio.Protocol]:
        def ended(connection: Connection) -> None:
            self._connections.discard(connection)
            gone(connection)

        connection = Connection(self._receive, self._limits, self._refused, self._ledger.clock, ended, number)
        self._connections.add(connection)
        if not self._placed:
            return connection, connection
        return connection, _Arrival(connection, self._arrived)

    def turn_away(self, capacity: Capacity) -> asyncio.Protocol:
        return TurnedAway(capacity)

    def passed_bytes(self) -> tuple[int, int]:
        return 0, 0

    def place(self, acting: Sequence[Active]) -> None:
        wanted = {active.rule.id: active for active in acting if active.rule.on_connections}
        before, self._placed = self._placed, wanted
        for rule_id, active in before.items():
            if rule_id not in wanted or wanted[rule_id].since != active.since:
                self._heal(rule_id)
        for rule_id, active in wanted.items():
            if rule_id not in before or before[rule_id].since != active.since:
                for connection in tuple(self._connections):
                    self._poison(connection, active, is_open=True)

    def begin(self, account: Account, wire: HttpWire) -> None:
        """An exchange is under way: it gets to know the toxics that it may meet."""
        wire.account = account
        connection = wire.connection
        if (poisoned := connection.poisoned) is not None and not poisoned.rules:
            poisoned.step_aside()
        if connection.witness is not None:
            connection.witness.begin(account)
        if self._placed:
            self._note_spared(account, connection)

    def close(self) -> None:
        for poisoned in tuple(self._poisoned):
            poisoned.abort()

    def _heal(self, rule_id: str) -> None:
        for poisoned in tuple(self._poisoned):
            poisoned.heal(rule_id)
            if isinstance(poisoned.witness, HttpWitness):
                poisoned.witness.healed(rule_id)

    def _arrived(self, connection: Connection, transport: asyncio.Transport) -> None:
        """A connection came while toxics act; those that spare it leave it as it is."""
        transport.set_protocol(connection)
        connection.connection_made(transport)
        for active in tuple(self._placed.values()):
            self._poison(connection, active, is_open=False)

    def _poison(self, connection: Connection, active: Active, *, is_open: bool) -> None:
        for direction, stage in stages_of(active, self._name(connection), is_open=is_open):
            poisoned = connection.poisoned or self._step_between(connection)
            if poisoned is None:
                return
            if connection.witness is not None:
                connection.witness.applied(active.rule.id)
            poisoned.attach(active.rule.id, stage, direction)
        wire = connection.wire
        if wire is not None and wire.account is not None and connection.poisoned is None:
            self._note_spared(wire.account, connection)

    def _step_between(self, connection: Connection) -> Poisoned | None:
        real = connection.transport
        if real is None or real.is_closing():
            return None
        poisoned = Poisoned(
            clock=self._ledger.clock,
            timers=self._timers,
            limits=self._limits,
            forget=self._poisoned.discard,
        )
        self._poisoned.add(poisoned)
        poisoned.witness = connection.witness = HttpWitness(self._name(connection), poisoned, self._ledger)
        poisoned.take_over(connection, real)
        wire = connection.wire
        if wire is not None and wire.account is not None:
            connection.witness.begin(wire.account)
        return poisoned

    def _note_spared(self, account: Account, connection: Connection) -> None:
        at_work = () if connection.poisoned is None else connection.poisoned.rules
        for rule_id in self._placed:
            if rule_id not in at_work and rule_id not in account.hit:
                account.misses[rule_id] = f"toxicity: connection {self._name(connection)} was spared"

    def _name(self, connection: Connection) -> str:
        return f"{self._ledger.listener}#{connection.number}"


class _Arrival(asyncio.Protocol):
    """A connection that comes while toxics act."""

    def __init__(self, connection: Connection, arrived: Callable[[Connection, asyncio.Transport], None]) -> None:
        self._connection = connection
        self._arrived = arrived

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._arrived(self._connection, cast(asyncio.Transport, transport))
