"""Every exchange of a call times every fault, then sets of several: after Filibuster (Meiklejohn and others, 2021).

It starts from the call that passes without any fault. What cannot differ is not tried:

- an exchange is given a fault only in a plan under which it was seen to happen (a retry exists after a fault alone);
- faults of one class had the same effect on the same exchange: the client was sent the same, as far as a journal tells,
  and did the same. Only the first of a class is combined with others;
- a fault without any effect is combined with none: what comes after it is known.

Nothing here runs a plan: the generators propose one, and are sent what it came to.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from math import comb
from typing import NamedTuple

from pydantic import ValidationError

from chaosproxy.faults.base import Fault, Room
from chaosproxy.plan.rule import Match, Rule, free_id
from chaosproxy.search.effect import Slot, effect_of, slots_of
from chaosproxy.search.observation import Observation, Plan, Run
from chaosproxy.search.promise import Broken, Promise
from chaosproxy.search.settings_of import fault_classes


class Injection(NamedTuple):
    """A fault on one exchange; ``fault`` is its place in the list of those that are tried."""

    slot: Slot
    fault: int


Injections = tuple[Injection, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A plan that was tried. ``met``: its last fault took effect; ``broken`` says how the target broke its promise."""

    injections: Injections
    met: bool
    broken: Broken | None


@dataclass(slots=True)
class Coverage:
    """What was tried. ``slots`` are all exchanges that were seen while another fault could still be added.

    ``like`` names what stands for a plan: for one that was not tried, and for one to which no other fault was added.
    """

    faults: tuple[Fault, ...]
    max_faults: int
    passing: Observation
    attempts: list[Attempt] = field(default_factory=list)
    slots: dict[Slot, None] = field(default_factory=dict)
    like: dict[Injections, Injections] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """Of the target, the passing one included."""
        return 1 + len(self.attempts)

    @property
    def brute_runs(self) -> int:
        """As many it takes to try all sets of up to ``max_faults`` faults on different exchanges of those seen."""
        return sum(comb(len(self.slots), size) * len(self.faults) ** size for size in range(self.max_faults + 1))

    def broken(self) -> Iterator[Attempt]:
        """The first attempt for each way in which the promise was broken; those with fewer faults come first."""
        known: set[str] = set()
        for attempt in self.attempts:
            if attempt.broken is not None and attempt.broken.key not in known:
                known.add(attempt.broken.key)
                yield attempt

    def verdict(self, injections: Injections) -> Broken | None:
        """How the promise is broken under these faults: as tried, or as what stands for them was.

        Faults on exchanges that do not happen, or that have no effect, change nothing.
        """
        tried = {attempt.injections: attempt for attempt in self.attempts}
        here: Injections = ()
        seen: Broken | None = None
        for injection in injections:
            longer = (*here, injection)
            if longer not in tried:
                longer = self.like.get(longer, here)
            if longer in tried:
                seen = tried[longer].broken
                here = self.like.get(longer, longer)
        return seen


def applicable(dialect: str, faults: Sequence[Fault] | None = None) -> tuple[Fault, ...]:
    """Of ``faults`` (default: the catalogue, with its default settings) those that one request can be given."""
    given = [kind() for kind in fault_classes(dialect)] if faults is None else faults
    return tuple(fault for fault in given if not fault.needs_server and _rule(fault, Slot("x", 1), {}) is not None)


def plan_of(injections: Injections, faults: Sequence[Fault]) -> Plan:
    """The rules of a plan: each for one exchange alone."""
    rules: dict[str, Rule] = {}
    for slot, number in injections:
        rule = _rule(faults[number], slot, rules)
        if rule is not None:
            rules[rule.id] = rule
    return tuple(rules.values())


def _rule(fault: Fault, slot: Slot, taken: dict[str, Rule]) -> Rule | None:
    """None for a fault on connections: those of a client serve many requests."""
    if fault.room is Room.TOXIC:
        return None
    try:
        name = free_id(fault.type.replace(".", "-"), taken)
        return Rule(id=name, listeners=(slot.listener,), do=fault, match=Match(nth=slot.number))
    except ValidationError:
        return None


def explore(
    run: Run,
    faults: Sequence[Fault],
    promise: Promise,
    *,
    max_faults: int = 2,
    on_attempt: Callable[[Attempt], None] = lambda _: None,
) -> Coverage:
    """Run all plans that :class:`Systematic` proposes."""
    systematic = Systematic(faults, promise, max_faults=max_faults)
    plans = systematic.plans()
    injections = next(plans)
    told = 0
    try:
        while True:
            injections = plans.send(run(plan_of(injections, faults)))
            for attempt in systematic.coverage.attempts[told:]:
                on_attempt(attempt)
            told = len(systematic.coverage.attempts)
    except StopIteration as ended:
        coverage: Coverage = ended.value
        for attempt in coverage.attempts[told:]:
            on_attempt(attempt)
        return coverage


@dataclass(frozen=True, slots=True)
class _Node:
    """A plan whose run showed exchanges to which another fault can be added."""

    injections: Injections
    seen: Observation


class Systematic:
    """One exploration. ``coverage`` grows while ``plans`` are taken, once the first of them has been run."""

    coverage: Coverage

    def __init__(self, faults: Sequence[Fault], promise: Promise, *, max_faults: int = 2) -> None:
        self._faults = tuple(faults)
        self._promise = promise
        self._max_faults = max_faults
        self._effects: dict[Injection, Hashable] = {}
        """What each fault did to each exchange of the passing call, if it took effect: else nobody knows its class."""

    def plans(self) -> Generator[Injections, Observation, Coverage]:
        """Propose plans, first none; send what each came to."""
        passing = yield ()
        self.coverage = Coverage(self._faults, self._max_faults, passing)
        level = [_Node((), passing)]
        for _ in range(self._max_faults):
            deeper: list[_Node] = []
            for node in level:
                deeper += yield from self._extend(node)
            level = deeper
        return self.coverage

    def _extend(self, node: _Node) -> Generator[Injections, Observation, list[_Node]]:
        """Give each exchange that comes after the node's last fault every fault that may differ."""
        nodes: list[_Node] = []
        for slot in self._later(node):
            self.coverage.slots.setdefault(slot)
            nodes += yield from self._at(node, slot)
        return nodes

    def _at(self, node: _Node, slot: Slot) -> Generator[Injections, Observation, list[_Node]]:
        """Every fault at one exchange, unless it is like one that was tried there; what is worth going on from."""
        unchanged = (effect_of(node.seen, slot), _key(self._promise(plan_of(node.injections, self._faults), node.seen)))
        classes: dict[tuple[Hashable, ...], Injections] = {}
        nodes: list[_Node] = []
        for number in range(len(self._faults)):
            injections = (*node.injections, Injection(slot, number))
            if (stands_for_it := self._known(node, slot, number)) is not None:
                self.coverage.like[injections] = (*node.injections, Injection(slot, stands_for_it))
                continue
            plan = plan_of(injections, self._faults)
            seen = yield injections
            attempt = Attempt(injections, plan[-1].id in seen.hit, self._promise(plan, seen))
            self.coverage.attempts.append(attempt)
            effect = self._class_of(attempt, seen)
            if not node.injections and attempt.met:
                self._effects[injections[-1]] = effect
            like = node.injections if effect[1:] == unchanged else classes.setdefault(effect, injections)
            if like != injections:
                self.coverage.like[injections] = like
            else:
                nodes.append(_Node(injections, seen))
        return nodes

    def _class_of(self, attempt: Attempt, seen: Observation) -> tuple[Hashable, ...]:
        """Room, effect and verdict: faults with the same are taken to be the same to the target."""
        slot, number = attempt.injections[-1]
        return (self._faults[number].room, effect_of(seen, slot), _key(attempt.broken))

    def _known(self, node: _Node, slot: Slot, number: int) -> int | None:
        """An earlier fault that had the same effect as this one on each exchange of its kind in the passing call."""
        base = [each for each in slots_of(self.coverage.passing) if self._alike(each, node, slot)]
        if not node.injections or not base:
            return None
        mine = [self._effects.get(Injection(each, number)) for each in base]
        if None in mine:
            return None
        others = ([self._effects.get(Injection(each, other)) for each in base] for other in range(number))
        return next((other for other, theirs in enumerate(others) if theirs == mine), None)

    def _alike(self, of_passing: Slot, node: _Node, slot: Slot) -> bool:
        """Whether two exchanges ask for the same kind of answer."""
        first, second = slots_of(self.coverage.passing)[of_passing], slots_of(node.seen)[slot]
        return (first.dialect, first.stream) == (second.dialect, second.stream)

    def _later(self, node: _Node) -> list[Slot]:
        slots = list(slots_of(node.seen))
        if not node.injections:
            return slots
        at = node.injections[-1].slot
        return slots[slots.index(at) + 1 :] if at in slots else []


def _key(broken: Broken | None) -> str | None:
    return None if broken is None else broken.key
