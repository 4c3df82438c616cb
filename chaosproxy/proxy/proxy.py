"""The proxy: a plan, its timers and any number of listeners, inside one event loop of the caller's choice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import inf
from secrets import token_hex
from typing import Self

import structlog

from chaosproxy.dice import Dice
from chaosproxy.errors import PartFailed, UserError
from chaosproxy.events import Exchange
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import AnyRecord, FaultEdge, Trouble
from chaosproxy.journal.traffic import FaultHit
from chaosproxy.plan.counters import LocalCounters
from chaosproxy.plan.plan import Active, Change, Plan
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.account import Account
from chaosproxy.proxy.capacity import Capacity
from chaosproxy.proxy.certificates import Trust
from chaosproxy.proxy.client_wire import HttpWire
from chaosproxy.proxy.hosts import Host, HttpHost
from chaosproxy.proxy.lag import LagMeter
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import Listener, ListenerSpec
from chaosproxy.proxy.open_exchanges import OpenExchanges
from chaosproxy.proxy.own_answer import Pages
from chaosproxy.proxy.pump import Pump
from chaosproxy.proxy.reception import Reception
from chaosproxy.proxy.refusals import Refusals
from chaosproxy.proxy.rings import refuse_rings
from chaosproxy.proxy.standing import Standing, standing_of
from chaosproxy.proxy.surroundings import Surroundings
from chaosproxy.proxy.target import Target
from chaosproxy.proxy.tcp_host import TcpHost, tcp_address
from chaosproxy.proxy.timers import Timer, Timers
from chaosproxy.proxy.upstream.http import HttpUpstream
from chaosproxy.proxy.watching import OpenOnes, look_at
from chaosproxy.proxy.witness import Ledger

log = structlog.get_logger()


class Proxy:
    """Listeners in front of upstreams, with faults in between.

    ``record`` is called with each journal entry, in the loop. ``header_dice`` are for faults that requests ask for
    themselves (``x-chaosproxy-fault``); None: they may not, and the field is ignored. ``token`` stands in the ids of
    its exchanges, to tell them from those of other proxies and runs; None: a random one. ``clock`` is monotonic
    seconds: ``time.monotonic``, or the loop's time where time is virtual; ``wall`` is seconds since the epoch. Raises
    UserError for listeners that cannot be.
    """

    def __init__(
        self,
        listeners: Sequence[ListenerSpec],
        *,
        record: Callable[[Entry], None],
        limits: Limits | None = None,
        ca: str | None = None,
        header_dice: Dice | None = None,
        token: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,  # noqa: TID251 - injected; for HTTP dates
    ) -> None:
        names = [spec.name for spec in listeners]
        if len(set(names)) < len(names):
            raise UserError(f"listeners need names of their own, got {', '.join(names)}")
        self._specs = tuple(listeners)
        self._targets = {spec.name: Target(spec.upstream) for spec in listeners if not spec.is_tcp}
        for spec in listeners:
            if spec.is_tcp:
                tcp_address(spec.upstream)  # what is wrong with it is said at the start
        refuse_rings(listeners)
        self._enter = record
        self._limits = limits = limits or Limits()
        self._capacity = Capacity(limits.connections)
        self._ca = ca
        self._header_dice = header_dice
        self._pages: Pages | None = None
        self._clock = clock
        self._counters = LocalCounters(limits.calls)
        self._plan = Plan(self._counters)
        self._timers = Timers(clock)
        self._plan_timer: Timer | None = None
        self._plan_due_at = inf
        self._refusals = Refusals(self._record, clock)
        self._around = Surroundings(
            token=token or token_hex(3),
            limits=limits,
            clock=clock,
            timers=self._timers,
            wall=wall,
            record=self._record,
            began=self._began,
            missed=self._plan.missed,
            finished=self._finished,
            refused=self._refusals.add,
        )
        self._open = OpenExchanges(record, self._counters)
        self._lag = LagMeter("proxy", self._record, clock, lambda: self._open.under_way > 0)
        self._may_lag = clock is time.monotonic  # virtual time waits for everybody
        self._hosts: dict[str, Host] = {}
        self._http: dict[str, HttpHost] = {}
        self._listeners: dict[str, Listener] = {}
        self._receptions: dict[str, Reception] = {}
        self._upstreams: list[HttpUpstream] = []

    # life ------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open all listeners. Raises PartFailed (a busy port) or UserError, with nothing left open."""
        trust = Trust(self._ca)
        try:
            for spec in self._specs:
                if spec.is_tcp:
                    self._open_tcp(spec, trust)
                else:
                    self._open_http(spec, trust)
                self._set_gate(spec.name)
                self._hosts[spec.name].place(self._plan.acting(spec.name))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Accept no more, give open exchanges Limits.stop_s to end, then cut them off."""
        if self._plan_timer is not None:
            self._plan_timer.cancel()
        for listener in self._listeners.values():
            listener.close_idle()
        try:
            await asyncio.wait_for(self._open.idle.wait(), self._limits.stop_s)
        except TimeoutError:
            for pump in reversed(self._open.pumps):  # who waits for the seat of another ends before it
                pump.stop()
        self._lag.stop()
        await asyncio.gather(*(listener.close() for listener in self._listeners.values()))
        self._refusals.stop()
        self._timers.close()
        for upstream in self._upstreams:
            upstream.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    @property
    def urls(self) -> dict[str, str]:
        """Where each listener is, once started."""
        return {name: listener.url for name, listener in self._listeners.items()}

    @property
    def listeners(self) -> tuple[ListenerSpec, ...]:
        """As they were given."""
        return self._specs

    @property
    def open_exchanges(self) -> int:
        """How many are under way, upstreams that are still being drained included."""
        return self._open.under_way

    @property
    def requests_under_way(self) -> tuple[tuple[Exchange, float], ...]:
        """The exchanges that have no record yet, and when each began."""
        return tuple([(account.exchange, account.began_at) for account in self._open.accounts()])

    @property
    def waiting_timers(self) -> int:
        """Timed events that wait: those of exchanges and connections, and the next change of the plan."""
        return len(self._timers)

    @property
    def under_way(self) -> tuple[Entry, ...]:
        """What is known so far of the exchanges that have not ended, as their entries will be."""
        return tuple([pump.account.entry() for pump in self._open.pumps])

    def look(self, most: int) -> OpenOnes:
        """The open exchanges, and ``most`` of them in detail: those that were silent for longest."""
        return look_at([pump.account for pump in self._open.pumps], self._clock(), most)

    async def idle(self) -> None:
        """Wait until no exchange is under way."""
        await self._open.idle.wait()

    def show(self, pages: Pages) -> None:
        """Answer some requests with pages of ours, at every HTTP listener; to be said before the start.

        Such a request never reaches the upstream, and is no exchange, so that only faults on connections act on it.
        """
        self._pages = pages

    def standing(self) -> list[Standing]:
        """How each listener stands now, once started."""
        exchanges = self._open.exchanges()
        return [
            standing_of(listener, self._hosts[name], self._counters.arrivals(name), exchanges)
            for name, listener in self._listeners.items()
        ]

    # the plan --------------------------------------------------------------------------------------------------------

    @property
    def active(self) -> tuple[Active, ...]:
        """The faults that are active now."""
        return self._plan.active

    def apply(self, rules: Iterable[Rule], *, owner: str, lease_s: float, seed: int) -> None:
        """Make ``rules`` the whole set of ``owner``, at once. They end after ``lease_s`` unless renewed.

        Raises Conflict when an id belongs to somebody else, Halted, UserError for a listener that does not exist.
        """
        rules = tuple(rules)
        self._check_targets(rules)
        self._act(self._plan.apply(rules, owner, lease_s, Dice(seed), self._clock()))

    def add(self, rule: Rule, *, owner: str, lease_s: float, seed: int) -> None:
        """One more fault for ``owner``, with a lease of its own. Raises as ``apply`` does."""
        self._check_targets((rule,))
        self._act(self._plan.add(rule, owner, lease_s, Dice(seed), self._clock()))

    def end(self, rule_id: str) -> None:
        """End one fault, whoever owns it; one that is not active does not mind."""
        self._act(self._plan.end(rule_id, self._clock()))

    def prolong(self, rule_id: str, lease_s: float) -> None:
        """Renew the lease of one fault, if it is active."""
        self._plan.prolong(rule_id, lease_s, self._clock())
        self._wind_up()

    def renew(self, owner: str, lease_s: float) -> int:
        """Prolong the leases of ``owner``; how many faults it still holds."""
        held = self._plan.renew(owner, lease_s, self._clock())
        self._wind_up()
        return held

    def clear(self, owner: str | None = None) -> None:
        """End all faults of ``owner``, or of everybody."""
        self._act(self._plan.clear(owner, self._clock()))

    def halt(self, why: str) -> None:
        """End all faults, those that requests asked for included, and inject nothing for the reason ``why``.

        With an empty one faults may come again; none comes back by itself.
        """
        self._act(self._plan.halt(why, self._clock()))
        for pump in self._open.pumps if why else ():
            for rule_id in list(pump.account.attached):
                pump.heal(rule_id)

    def forget_calls(self) -> None:
        """Count the attempts of calls from one again, so that a call that is repeated throws the same dice."""
        self._counters.forget_calls()

    # inside ----------------------------------------------------------------------------------------------------------

    def _check_targets(self, rules: Iterable[Rule]) -> None:
        by_name = {spec.name: spec for spec in self._specs}
        for rule in rules:
            if unknown := set(rule.listeners) - set(by_name):
                raise UserError(f"fault {rule.id!r} aims at {min(unknown)!r}; the listeners are {', '.join(by_name)}")
            if rule.do.needs_server:
                raise UserError(f"fault {rule.id!r}: via=toxiproxy is for experiments that name a Toxiproxy server")
            words = rule.why_not_on_tcp
            if words is not None and any(by_name[name].is_tcp for name in rule.listeners):
                raise UserError(f"fault {rule.id!r}: {words}")

    def _open_http(self, spec: ListenerSpec, trust: Trust) -> None:
        upstream = HttpUpstream(self._targets[spec.name], trust, self._limits)
        self._upstreams.append(upstream)
        reception = Reception(
            spec.name,
            spec.dialect,
            upstream,
            self._plan,
            self._counters,
            self._around,
            self._opened,
            self._header_dice,
        )
        reception.pages = self._pages
        ledger = Ledger(spec.name, self._clock, self._record, self._open.delivered)
        host = self._http[spec.name] = HttpHost(
            reception.receive, self._limits, self._refusals.add, ledger, self._timers
        )
        self._receptions[spec.name] = reception
        self._listen(spec, host)

    def _open_tcp(self, spec: ListenerSpec, trust: Trust) -> None:
        host = TcpHost(
            spec.name,
            spec.upstream,
            self._limits,
            trust,
            token=self._around.token,
            clock=self._clock,
            timers=self._timers,
            record=self._record,
        )
        self._listen(spec, host)

    def _listen(self, spec: ListenerSpec, host: Host) -> None:
        self._hosts[spec.name] = host
        self._listeners[spec.name] = Listener(
            spec,
            host,
            self._limits,
            capacity=self._capacity,
            on_slam=partial(self._slammed, spec.name),
            refused=self._refusals.add,
        )

    def _began(self, account: Account, wire: HttpWire) -> None:
        if self._clock() >= self._plan_due_at:  # its timer is late: what the journal says of a moment is true for it
            self._advance()
        self._http[account.exchange.listener].begin(account, wire)

    def _opened(self, pump: Pump) -> None:
        self._open.add(pump)
        if self._may_lag:
            self._lag.start()

    def _finished(self, account: Account) -> None:
        if account.received.status == 404:
            self._receptions[account.exchange.listener].explain_404(account.exchange)
        self._open.finish(account)

    def _record(self, record: AnyRecord) -> None:
        self._enter(Entry.of(record))

    def _slammed(self, listener: str) -> None:
        gate = self._plan.gate(listener)
        if gate is not None:
            self._record(FaultHit(fault=gate[0], at=self._clock(), listener=listener, detail="connection reset"))

    def _advance(self) -> None:
        self._act(self._plan.advance(self._clock()))

    def _act(self, changes: list[Change]) -> None:
        """Bring the changes to the gates and the open exchanges, and set the timer for the next ones.

        All are told before any has an effect: what a fault did stands in the journal after its beginning.
        """
        for change in changes:
            self._tell(change)
        for change in changes:
            rule = change.rule
            for name in rule.listeners:
                self._set_gate(name)
                if name in self._hosts:
                    self._hosts[name].place(self._plan.acting(name))
            if rule.on_connections:
                continue
            for pump in self._open.at(rule.listeners):
                if change.acts and rule.reaches_open:
                    pump.attach(rule.id, partial(self._plan.decide_open, rule.id, now=self._clock()))
                elif not change.acts:
                    pump.heal(rule.id)
        self._wind_up()

    def _tell(self, change: Change) -> None:
        rule = change.rule
        self._record(
            FaultEdge(
                fault=rule.id,
                edge=change.edge,  # type: ignore[arg-type]
                at=change.at,
                listeners=list(rule.listeners),
                why=change.why,
                fault_type=rule.do.type,
            )
        )

    def _set_gate(self, name: str) -> None:
        listener, closed = self._listeners.get(name), self._plan.gate(name)
        if listener is None:
            return  # not started
        try:
            listener.set_gate(None if closed is None else closed[1])
        except PartFailed as error:
            self._record(Trouble(at=self._clock(), part=name, detail=str(error)))

    def _wind_up(self) -> None:
        if self._plan_timer is not None:
            self._plan_timer.cancel()
            self._plan_timer = None
        due = self._plan.next_at()
        self._plan_due_at = inf if due is None else due
        if due is not None:
            self._plan_timer = self._timers.call_at(due, self._advance)
