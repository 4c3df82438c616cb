"""The state of the plan in one proxy: active rules with their leases, and the decision for each exchange.

Pure: the caller brings the time (seconds, monotonic) and acts on the changes that come back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from chaosproxy.dice import Dice
from chaosproxy.errors import UserError
from chaosproxy.events import Exchange
from chaosproxy.faults.base import Gate
from chaosproxy.plan.counters import Counters
from chaosproxy.plan.decision import Decider, Decision
from chaosproxy.plan.rule import Rule


class Conflict(UserError):
    """A rule's id belongs to another rule."""


class Halted(UserError):
    """Nothing may be injected now; the text says why."""


@dataclass(frozen=True, slots=True)
class Change:
    """A rule began or ceased to act. ``edge``: applied, healed, or flap_up and flap_down in between.

    ``why`` of healed: lasts, lease, cleared or replaced.
    """

    rule: Rule
    edge: str
    at: float
    why: str = ""

    @property
    def acts(self) -> bool:
        """Whether the rule acts after this change."""
        return self.edge in ("applied", "flap_down")


@dataclass(frozen=True, slots=True)
class Active:
    """A rule at work."""

    rule: Rule
    owner: str
    seed: int
    decider: Decider
    since: float
    lease_until: float
    down: bool = True
    next_flap: float = float("inf")

    @property
    def flap_s(self) -> float:
        """How long the state lasts that the next flap begins."""
        flap = self.rule.flap
        if flap is None:
            return float("inf")
        return flap.up if self.down else flap.down

    @property
    def until(self) -> tuple[float, str]:
        """When it ends by itself, and why."""
        over = float("inf") if self.rule.lasts is None else self.since + self.rule.lasts
        return (over, "lasts") if over <= self.lease_until else (self.lease_until, "lease")


class Plan:
    """Active rules in the order in which they were applied. Rule ids are unique over all owners."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._active: dict[str, Active] = {}
        self._spent: dict[str, Active] = {}  # ended after their lasts; their owner may not know
        self._acting: dict[str, list[tuple[float, Decider]]] = {}  # by listener: until when, admission first
        self._edited: set[str] = set()  # listeners whose frames a loaded rule may have to understand
        self.halted = ""
        """Why nothing may be injected; empty while it may."""

    @property
    def active(self) -> tuple[Active, ...]:
        """What is active now, for status pages."""
        return tuple(self._active.values())

    def apply(self, rules: Iterable[Rule], owner: str, lease_s: float, dice: Dice, now: float) -> list[Change]:
        """Make ``rules`` the whole set of ``owner``: new ones begin, missing ones end, equal ones are renewed.

        ``dice`` holds the owner's seed; a lease of ``inf`` is for a proxy whose faults were given at its start.
        Raises Conflict when an id belongs to another owner or is given twice, Halted; nothing is changed then.
        """
        wanted: dict[str, Rule] = {}
        for rule in rules:
            if wanted.setdefault(rule.id, rule) is not rule:
                raise Conflict(f"fault {rule.id!r} is given twice")
        self._allow(wanted)
        for rule_id in wanted:
            if rule_id in self._active and self._active[rule_id].owner != owner:
                raise Conflict(f"fault {rule_id!r} belongs to {self._active[rule_id].owner!r}")
        self._spent = {
            rule_id: spent
            for rule_id, spent in self._spent.items()
            if spent.lease_until > now and (spent.owner != owner or wanted.get(rule_id) == spent.rule)
        }
        changes = [
            self._end(active, now, "cleared" if rule_id not in wanted else "replaced")
            for rule_id, active in list(self._active.items())
            if active.owner == owner and wanted.get(rule_id) != active.rule
        ]
        new = [rule for rule in wanted.values() if rule.id not in self._active and not self._is_spent(rule, owner)]
        changes += [self._begin(rule, owner, dice, now + lease_s, now) for rule in new]
        self.renew(owner, lease_s, now)
        return changes

    def add(self, rule: Rule, owner: str, lease_s: float, dice: Dice, now: float) -> list[Change]:
        """One more rule for ``owner``, with a lease of its own. Raises Conflict when its id is taken, Halted."""
        self._allow([rule.id])
        if rule.id in self._active:
            raise Conflict(f"fault {rule.id!r} is active already, it belongs to {self._active[rule.id].owner!r}")
        self._spent.pop(rule.id, None)
        changes = [self._begin(rule, owner, dice, now + lease_s, now)]
        self._index()
        return changes

    def end(self, rule_id: str, now: float) -> list[Change]:
        """End one rule, whoever owns it."""
        active = self._active.get(rule_id)
        self._spent.pop(rule_id, None)
        changes = [] if active is None else [self._end(active, now, "cleared")]
        self._index()
        return changes

    def prolong(self, rule_id: str, lease_s: float, now: float) -> None:
        """Renew the lease of one rule, if it is active."""
        active = self._active.get(rule_id)
        if active is not None:
            self._active[rule_id] = replace(active, lease_until=now + lease_s)
            self._index()

    def halt(self, why: str, now: float) -> list[Change]:
        """End all rules and take no new ones, for the reason ``why``; an empty one lets rules in again."""
        self.halted = why
        return self.clear(None, now) if why else []

    def renew(self, owner: str, lease_s: float, now: float) -> int:
        """Prolong the leases of ``owner``; how many rules it still holds."""
        mine = [active for active in self._active.values() if active.owner == owner]
        for active in mine:
            self._active[active.rule.id] = replace(active, lease_until=now + lease_s)
        for spent in [spent for spent in self._spent.values() if spent.owner == owner]:
            self._spent[spent.rule.id] = replace(spent, lease_until=now + lease_s)
        self._index()
        return len(mine)

    def clear(self, owner: str | None, now: float) -> list[Change]:
        """End all rules of ``owner``, or of everybody."""
        self._spent = {rule_id: spent for rule_id, spent in self._spent.items() if owner not in (None, spent.owner)}
        mine = [active for active in self._active.values() if owner in (None, active.owner)]
        changes = [self._end(active, now, "cleared") for active in mine]
        self._index()
        return changes

    def advance(self, now: float) -> list[Change]:
        """What ended or flapped up to ``now``, in the order of time."""
        changes: list[Change] = []
        while (due := self._next_due()) is not None and due[0] <= now:
            at, active = due
            until, why = active.until
            changes.append(self._end(active, at, why) if until <= at else self._flap(active, at))
        self._index()
        return changes

    def next_at(self) -> float | None:
        """When ``advance`` has something to do."""
        due = self._next_due()
        return None if due is None else due[0]

    def gate(self, listener: str) -> tuple[str, Gate] | None:
        """The first rule that closes this listener, and how."""
        for active in self._active.values():
            if active.down and listener in active.rule.listeners and (gate := active.rule.do.gate()):
                return active.rule.id, gate
        return None

    def acting(self, listener: str) -> list[Active]:
        """The rules that act at this listener now, in the order in which they were applied."""
        return [active for active in self._active.values() if active.down and listener in active.rule.listeners]

    def edits_frames(self, listener: str) -> bool:
        """Whether a loaded rule may have to understand this listener's frames."""
        return listener in self._edited

    def decide(self, exchange: Exchange, now: float) -> list[Decision]:
        """One decision for each rule that acts at the exchange's listener: admission first, then in order.

        A rule whose time is over acts no more, even if ``advance`` is late.
        """
        decisions = []
        for over_at, decider in self._acting.get(exchange.listener, ()):
            if over_at > now:
                decisions.append(decider.decide(exchange, now))
        return decisions

    def decide_open(self, rule_id: str, exchange: Exchange, now: float) -> Decision | None:
        """The decision about an exchange that is already open, for a rule that reaches open ones and began to act."""
        active = self._active.get(rule_id)
        if active is None or not active.rule.reaches_open or active.rule.on_connections:
            return None
        if exchange.listener not in active.rule.listeners:
            return None
        return active.decider.decide(replace(exchange, seen=replace(exchange.seen, open=True)), now)

    def missed(self, decision: Decision) -> None:
        """A chosen exchange was not hit: its place under ``max_hits`` is free again, unless the rule has ended."""
        active = self._active.get(decision.rule_id)
        if active is not None and active.since == decision.since:
            self._counters.release(decision.rule_id)

    def _allow(self, wanted: Collection[str]) -> None:
        if wanted and self.halted:
            raise Halted(f"nothing is injected here: {self.halted}")

    def _is_spent(self, rule: Rule, owner: str) -> bool:
        return rule.id in self._spent and self._spent[rule.id].owner == owner

    def _index(self) -> None:
        """Find out anew, after a change, what each listener's exchanges need to know."""
        self._acting, self._edited = {}, set()
        for active in sorted(self._active.values(), key=lambda active: not active.rule.do.stops_upstream):
            for listener in dict.fromkeys(active.rule.listeners):
                if active.down and not active.rule.on_connections:
                    self._acting.setdefault(listener, []).append((active.until[0], active.decider))
                if active.rule.do.edits_frames:
                    self._edited.add(listener)

    def _begin(self, rule: Rule, owner: str, dice: Dice, lease_until: float, now: float) -> Change:
        next_flap = now + rule.flap.down if rule.flap else float("inf")
        decider = Decider(rule, dice, now, self._counters)
        self._active[rule.id] = Active(rule, owner, dice.seed, decider, now, lease_until, next_flap=next_flap)
        return Change(rule, "applied", now)

    def _end(self, active: Active, at: float, why: str) -> Change:
        del self._active[active.rule.id]
        self._counters.forget(active.rule.id)
        if why == "lasts":
            self._spent[active.rule.id] = active
        return Change(active.rule, "healed", at, why)

    def _flap(self, active: Active, at: float) -> Change:
        if active.down:
            self._counters.vacate(active.rule.id)
        self._active[active.rule.id] = replace(active, down=not active.down, next_flap=at + active.flap_s)
        return Change(active.rule, "flap_up" if active.down else "flap_down", at)

    def _next_due(self) -> tuple[float, Active] | None:
        due = [(min(active.until[0], active.next_flap), active) for active in self._active.values()]
        return min(due, key=lambda pair: pair[0], default=None)
