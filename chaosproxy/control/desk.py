"""What can be asked of a running proxy, whichever way the question came: faults, claims, and the stop button."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chaosproxy import __version__
from chaosproxy.control.claims import Claims
from chaosproxy.control.events import EventLog
from chaosproxy.control.messages import (
    ActiveFault,
    Apply,
    Inject,
    ListenerStatus,
    Lock,
    OpenExchange,
    OpenExchanges,
    Programme,
    Scope,
    Status,
)
from chaosproxy.errors import UserError
from chaosproxy.plan.plan import Active, Conflict, Halted
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy

LOCKED = "it was stopped by hand"
"""Why, when the one who locked it gave no reason."""


class NoSuch(UserError):
    """What was asked for does not exist."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """``mono`` is the clock of the proxy's records, ``wall`` seconds since the epoch."""

    mono: Callable[[], float]
    wall: Callable[[], float]


class Desk:
    """One proxy, and who may do what with it. All methods raise UserError and its kinds, with nothing changed."""

    def __init__(self, proxy: Proxy, events: EventLog, clocks: Clocks) -> None:
        self._proxy = proxy
        self._clocks = clocks
        self._claims = Claims()
        self._programmes: dict[str, Programme] = {}  # of runs that hold a claim, or did
        self._halts: dict[str, str] = {}  # who has stopped everything, and why
        self.events = events

    # faults ----------------------------------------------------------------------------------------------------------

    def apply(self, owner: str, wanted: Apply) -> int:
        """Make the rules the whole set of the owner; how many of them are active."""
        now = self._clocks.mono()
        if wanted.scope is not None:
            self._check_scope(owner, wanted.scope)
        self._claims.check(owner, wanted.rules, now)
        self._proxy.apply(wanted.rules, owner=owner, lease_s=wanted.lease, seed=wanted.seed)
        if wanted.scope is not None:
            self._claims.claim(owner, wanted.scope, now + wanted.lease, now)
        return self._count(owner)

    def renew(self, owner: str, lease_s: float) -> int:
        """Prolong the owner's faults and claim; how many faults it still has."""
        now = self._clocks.mono()
        self._claims.renew(owner, now + lease_s, now)
        return self._proxy.renew(owner, lease_s)

    def clear(self, owner: str | None = None) -> None:
        """End all faults of an owner and its claim, or all faults of everybody."""
        if owner is not None:
            self._claims.release(owner)
        self._proxy.clear(owner)

    def announce(self, owner: str, programme: Programme) -> Programme:
        """A run says what it is about, for those who watch; known as long as it holds its claim. Raises NoSuch."""
        held = self._claims.held(self._clocks.mono())
        if owner not in held:
            raise NoSuch(f"{owner!r} holds no claim here")
        kept = {other: each for other, each in self._programmes.items() if other in held}
        self._programmes = {**kept, owner: programme}
        return programme

    def inject(self, wanted: Inject) -> ActiveFault:
        """One more fault."""
        self._claims.check(wanted.owner, [wanted.rule], self._clocks.mono())
        self._proxy.add(wanted.rule, owner=wanted.owner, lease_s=wanted.lease, seed=wanted.seed)
        return self.fault(wanted.rule.id)

    def fault(self, fault_id: str) -> ActiveFault:
        """One that is active now. Raises NoSuch."""
        for active in self._proxy.active:
            if active.rule.id == fault_id:
                return self._told(active)
        known = ", ".join(active.rule.id for active in self._proxy.active) or "none"
        raise NoSuch(f"no fault {fault_id!r} is active; active: {known}")

    def faults(self) -> tuple[ActiveFault, ...]:
        """All that are active now."""
        return tuple(self._told(active) for active in self._proxy.active)

    def heal(self, fault_id: str) -> None:
        """End one fault, whoever owns it. Raises NoSuch."""
        self.fault(fault_id)
        self._proxy.end(fault_id)

    def prolong(self, fault_id: str, lease_s: float) -> ActiveFault:
        """Renew the lease of one fault. Raises NoSuch."""
        self.fault(fault_id)
        self._proxy.prolong(fault_id, lease_s)
        return self.fault(fault_id)

    # the stop button -------------------------------------------------------------------------------------------------

    @property
    def halted(self) -> str:
        """Why nothing may be injected; empty while it may."""
        return "; ".join(self._halts.values())

    @property
    def listeners(self) -> Sequence[ListenerSpec]:
        """As they were asked for."""
        return self._proxy.listeners

    @property
    def ready(self) -> bool:
        """Whether all listeners are open."""
        return len(self._proxy.urls) == len(self._proxy.listeners)

    def lock(self, lock: Lock) -> None:
        """End all faults and claims, and refuse new ones."""
        self.halt("lock", lock.why or LOCKED)

    def unlock(self) -> None:
        """Take the lock away; a stop file goes on to count."""
        self.halt("lock", "")

    def halt(self, who: str, why: str) -> None:
        """One of the reasons for which nothing may be injected has come, or (empty) gone."""
        if self._halts.get(who, "") == why:
            return
        self._halts = {other: words for other, words in {**self._halts, who: why}.items() if words}
        self._proxy.halt(self.halted)
        if self.halted:
            self._claims.release_all()

    # looking on ------------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """What is going on."""
        proxy, urls = self._proxy, self._proxy.urls
        mono, wall = self._clocks.mono(), self._clocks.wall()
        claims = self._claims.held(mono)
        return Status(
            chaosproxy=__version__,
            instance=self.events.instance,
            mono=mono,
            wall=wall,
            listeners={
                spec.name: ListenerStatus(
                    url=urls.get(spec.name, ""), upstream=spec.upstream, dialect=spec.dialect, role=spec.role
                )
                for spec in proxy.listeners
            },
            active=self.faults(),
            claims=claims,
            runs={owner: programme for owner, programme in self._programmes.items() if owner in claims},
            halted=self.halted,
            open_exchanges=proxy.open_exchanges,
            events=self.events.newest,
        )

    def exchanges(self) -> OpenExchanges:
        """What is under way."""
        return OpenExchanges(
            exchanges=tuple(
                OpenExchange(
                    id=exchange.id,
                    listener=exchange.listener,
                    ordinal=exchange.ordinal,
                    call=exchange.call,
                    method=exchange.method,
                    dialect=exchange.dialect,
                    model=exchange.model,
                    stream=exchange.stream,
                    began_at=began_at,
                )
                for exchange, began_at in self._proxy.requests_under_way
            ),
            mono=self._clocks.mono(),
        )

    def _check_scope(self, owner: str, scope: Scope) -> None:
        if self.halted:
            raise Halted(f"nothing is injected here: {self.halted}")
        known = [spec.name for spec in self._proxy.listeners]
        if unknown := sorted(set(scope.listeners) - set(known)):
            raise UserError(f"there is no listener {unknown[0]!r}; the listeners are {', '.join(known)}")
        self._claims.check_scope(owner, scope, self._clocks.mono())
        for active in self._proxy.active:
            shared = sorted(set(scope.listeners) & set(active.rule.listeners))
            if active.owner != owner and (shared or active.rule.id in scope.faults):
                where = ", ".join(active.rule.listeners)
                words = f"fault {active.rule.id!r} of {active.owner!r} is active on {where}"
                raise Conflict(f"{words}; heal it first: chaosproxy heal {active.rule.id}")

    def _count(self, owner: str) -> int:
        return sum(active.owner == owner for active in self._proxy.active)

    def _told(self, active: Active) -> ActiveFault:
        rule = active.rule
        return ActiveFault(
            id=rule.id,
            owner=active.owner,
            type=rule.do.type,
            listeners=rule.listeners,
            since=active.since,
            lease_until=None if math.isinf(active.lease_until) else active.lease_until,
            ends_at=None if rule.lasts is None else active.since + rule.lasts,
            acting=active.down,
            hits=self.events.hits.of(rule.id),
            rule=rule,
        )
