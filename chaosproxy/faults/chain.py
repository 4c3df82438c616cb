"""The chain: stages in a row, run in the order of time.

    upstream -> push -> [stage | queue] -> [stage | queue] -> advance -> client

Each stage has a queue of what it emitted; an event moves on when its ``at`` has come. So a stage always sees the
present, a stage can be attached or healed at any moment, and healing one releases exactly what that stage was holding
back.
The caller owns the clock: it calls ``advance`` no later than ``next_at``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from chaosproxy.events import AT_HEAL, Abort, End, Frame, Heal, Hit, Incoming, Miss, Outgoing, Tick, Travelling
from chaosproxy.faults.base import Stage


@dataclass(slots=True, eq=False)
class _Link:
    fault_id: str
    stage: Stage
    queue: deque[Travelling] = field(default_factory=deque)
    tick_at: float | None = None

    def due_at(self) -> float | None:
        """The earliest of the head of the queue and the wake-up."""
        if self.queue and (self.tick_at is None or self.queue[0].at <= self.tick_at):
            return self.queue[0].at
        return self.tick_at


@dataclass(frozen=True, slots=True)
class Report:
    """What a stage said about itself."""

    fault_id: str
    said: Hit | Miss


class Chain:
    """The faults at work in one exchange."""

    def __init__(self) -> None:
        self._links: list[_Link] = []
        self._out: list[Travelling] = []
        self._ended = False
        self._held_bytes = 0
        self._reports: list[Report] = []

    @property
    def empty(self) -> bool:
        """No stage is attached: events pass untouched."""
        return not self._links

    @property
    def held_bytes(self) -> int:
        """Bytes of frames that wait in queues; the pump stops reading while there are too many."""
        return self._held_bytes

    @property
    def fault_ids(self) -> tuple[str, ...]:
        """The attached faults, in order."""
        return tuple(link.fault_id for link in self._links)

    def attach(self, fault_id: str, stage: Stage, at: float) -> None:
        """Add a stage at the end; it acts from ``at`` on. Follow with ``advance(at)``."""
        self._run(at)
        link = _Link(fault_id, stage)
        self._links.append(link)
        self._feed(len(self._links) - 1, Tick(at))

    def heal(self, fault_id: str, at: float) -> None:
        """End a fault: what it delays is released now, what it holds is settled. Follow with ``advance(at)``."""
        self._run(at)
        for index, link in enumerate(self._links):
            if link.fault_id == fault_id:
                self._feed(index, Heal(at))
                link.tick_at = None
                link.queue = deque(event if event.at <= at else replace(event, at=at) for event in link.queue)
                self._run(at)
                del self._links[index]
                return

    def push(self, event: Travelling) -> None:
        """Feed what the upstream sent (or Ask). Follow with ``advance``."""
        self._run(event.at)
        self._enter(0, event)

    def advance(self, now: float) -> list[Travelling]:
        """The events that leave the chain up to ``now``, in order; nothing after an End or Abort."""
        self._run(now)
        out, self._out = self._out, []
        return out

    def next_at(self) -> float | None:
        """When ``advance`` has something to do; None when only an event from outside can move the chain."""
        due = min((due for link in self._links if (due := link.due_at()) is not None), default=AT_HEAL)
        return None if due == AT_HEAL else due

    def take_reports(self) -> list[Report]:
        """Hits and misses since the last call."""
        reports, self._reports = self._reports, []
        return reports

    def _run(self, now: float) -> None:
        while (index := self._next_due(now)) is not None:
            link = self._links[index]
            if link.tick_at is not None and not (link.queue and link.queue[0].at <= link.tick_at):
                at, link.tick_at = link.tick_at, None
                self._feed(index, Tick(at))
            else:
                event = link.queue.popleft()
                if isinstance(event, Frame):
                    self._held_bytes -= len(event.data)
                self._enter(index + 1, event)

    def _next_due(self, now: float) -> int | None:
        """The link to run next: the earliest, and of equals the one nearest to the client."""
        best, best_at = None, now
        for index, link in enumerate(self._links):
            due = link.due_at()
            if due is not None and due <= best_at:
                best, best_at = index, due
        return best

    def _enter(self, index: int, event: Travelling) -> None:
        if index < len(self._links):
            self._feed(index, event)
        elif not self._ended:
            self._ended = isinstance(event, End | Abort)
            self._out.append(event)

    def _feed(self, index: int, event: Incoming) -> None:
        link = self._links[index]
        for emitted in link.stage.feed(event):
            self._take(link, emitted)

    def _take(self, link: _Link, emitted: Outgoing) -> None:
        match emitted:
            case Hit() | Miss():
                self._reports.append(Report(link.fault_id, emitted))
            case Tick(at):
                link.tick_at = at
            case _:
                if isinstance(emitted, Frame):
                    self._held_bytes += len(emitted.data)
                link.queue.append(emitted)


def run_through(stage: Stage, events: Iterable[Travelling], *, heal_at: float | None = None) -> list[Travelling]:
    """All events that leave a single stage under virtual time, for tests, replay and docs."""
    chain = Chain()
    chain.attach("fault", stage, 0.0)
    out: list[Travelling] = []
    for event in events:
        if heal_at is not None and event.at >= heal_at:
            chain.heal("fault", heal_at)
            heal_at = None
        chain.push(event)
        out += chain.advance(event.at)
    if heal_at is not None:
        out += chain.advance(heal_at)
        chain.heal("fault", heal_at)
    while (at := chain.next_at()) is not None:
        out += chain.advance(at)
    return out + chain.advance(AT_HEAL if heal_at is None else heal_at)
