"""The chain: stages in a row, run in the order of time.

    upstream -> push -> [stage | queue] -> [stage | queue] -> advance -> client

Each stage has a queue of what it emitted; an event moves on when its ``at`` has come. So a stage always sees the
present, a stage can be attached or healed at any moment, and healing one releases exactly what that stage was holding
back.
The caller owns the clock: it calls ``advance`` no later than ``next_at``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from chaosproxy.events import AT_HEAL, Abort, End, Frame, Heal, Hit, Miss, Outgoing, Tick, Travelling, moved
from chaosproxy.faults.base import Stage

_TO_ONE = (Tick, Hit, Miss)
_REPORTED = (Hit, Miss)
_ENDS = (End, Abort)


@dataclass(slots=True, eq=False)
class _Link:
    fault_id: str
    stage: Stage
    queue: deque[Travelling] = field(default_factory=deque)
    tick_at: float = AT_HEAL

    @property
    def waits(self) -> bool:
        """Whether there is anything to come, be it at the heal."""
        return bool(self.queue) or self.tick_at < AT_HEAL

    def due_at(self) -> float:
        """The earliest of the head of the queue and the wake-up."""
        return min(self.queue[0].at, self.tick_at) if self.queue else self.tick_at


@dataclass(frozen=True, slots=True)
class Report:
    """What a stage said about itself."""

    fault_id: str
    said: Hit | Miss


class Chain:
    """The faults at work in one exchange."""

    __slots__ = ("_due_at", "_ended", "_links", "_out", "_reports", "held_bytes")

    def __init__(self) -> None:
        self._links: list[_Link] = []
        self._out: list[Travelling] = []
        self._ended = False
        self._due_at = AT_HEAL
        self.held_bytes = 0
        """What the frames take that wait in queues; the pump stops reading while there are too many."""
        self._reports: list[Report] = []

    @property
    def empty(self) -> bool:
        """No stage is attached: events pass untouched."""
        return not self._links

    @property
    def fault_ids(self) -> tuple[str, ...]:
        """The attached faults, in order."""
        return tuple(link.fault_id for link in self._links)

    def attach(self, fault_id: str, stage: Stage, at: float, *, before: Collection[str] = ()) -> None:
        """Add a stage at the end, or ahead of ``before``; it acts from ``at`` on. Follow with ``advance(at)``."""
        self._run(at)
        link = _Link(fault_id, stage)
        later = (index for index, other in enumerate(self._links) if other.fault_id in before)
        self._links.insert(next(later, len(self._links)), link)
        self._take(link, stage.feed(Tick(at)))

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Those that are attached, in order."""
        return tuple(link.stage for link in self._links)

    def stage(self, fault_id: str) -> Stage | None:
        """The stage of an attached fault."""
        return next((link.stage for link in self._links if link.fault_id == fault_id), None)

    def replace(self, fault_id: str, stage: Stage, at: float) -> None:
        """Put ``stage`` in the place of an attached one. Follow with ``advance(at)``.

        The old one is not healed: the data that it delayed is released now, and the end behind it meets the new one.
        """
        self._run(at)
        for link in self._links:
            if link.fault_id == fault_id:
                held = [moved(event, at) for event in link.queue]
                link.stage, link.tick_at = stage, AT_HEAL
                link.queue = deque(event for event in held if not isinstance(event, _ENDS))
                self._take(link, stage.feed(Tick(at)))
                for event in held:
                    if isinstance(event, _ENDS):
                        self._take(link, stage.feed(event))
                self._run(at)
                return

    def heal(self, fault_id: str, at: float) -> None:
        """End a fault: what it delays is released now, what it holds is settled. Follow with ``advance(at)``."""
        self._run(at)
        for index, link in enumerate(self._links):
            if link.fault_id == fault_id:
                self._take(link, link.stage.feed(Heal(at)))
                link.tick_at = AT_HEAL
                link.queue = deque(event if event.at <= at else moved(event, at) for event in link.queue)
                self._set_due()
                self._run(at)
                del self._links[index]
                self._set_due()
                return

    def keep(self, fault_ids: Collection[str]) -> None:
        """Take all other faults away, with what they hold."""
        self._links = [link for link in self._links if link.fault_id in fault_ids]
        held = [event for link in self._links for event in link.queue if isinstance(event, Frame)]
        self.held_bytes = sum(frame.held_bytes for frame in held)
        self._set_due()

    def push(self, event: Travelling) -> None:
        """Feed what the upstream sent (or Ask). Follow with ``advance``."""
        if self._due_at <= event.at:
            self._run(event.at)
        self._enter(0, event, event.at)

    def advance(self, now: float) -> list[Travelling]:
        """The events that leave the chain up to ``now``, in order; nothing after an End or Abort."""
        if self._due_at <= now:
            self._run(now)
        out, self._out = self._out, []
        return out

    def next_at(self) -> float | None:
        """When ``advance`` has something to do; None when only an event from outside can move the chain."""
        return None if self._due_at == AT_HEAL else self._due_at

    def take_reports(self) -> list[Report]:
        """Hits and misses since the last call."""
        reports, self._reports = self._reports, []
        return reports

    def _enter(self, index: int, event: Travelling, now: float) -> None:
        """Feed the stage at ``index``; a single event that comes out at once goes on to the next stage unqueued."""
        while index < len(self._links):
            link = self._links[index]
            emitted = link.stage.feed(event)
            if len(emitted) != 1 or link.queue:
                return self._take(link, emitted)
            (only,) = emitted
            if only.at > now or isinstance(only, _TO_ONE):
                return self._take(link, emitted)
            event = only
            index += 1
        if not self._ended:
            self._ended = isinstance(event, _ENDS)
            self._out.append(event)
        return None

    def _take(self, link: _Link, emitted: Sequence[Outgoing]) -> None:
        for event in emitted:
            if isinstance(event, Frame):
                self.held_bytes += event.held_bytes
                link.queue.append(event)
            elif isinstance(event, Tick):
                link.tick_at = event.at
            elif isinstance(event, _REPORTED):
                self._reports.append(Report(link.fault_id, event))
            else:
                link.queue.append(event)
        self._set_due()

    def _run(self, now: float) -> None:
        """Move all that is due: the earliest first, and of equals the one nearest to the client."""
        while self._due_at <= now:
            due = [index for index, link in enumerate(self._links) if link.waits and link.due_at() == self._due_at]
            if not due:
                return  # the end of time, and nothing is left
            index, link = due[-1], self._links[due[-1]]
            if link.queue and link.queue[0].at <= link.tick_at:
                event = link.queue.popleft()
                if isinstance(event, Frame):
                    self.held_bytes -= event.held_bytes
                self._enter(index + 1, event, event.at)
            else:
                at, link.tick_at = link.tick_at, AT_HEAL
                self._take(link, link.stage.feed(Tick(at)))
            self._set_due()

    def _set_due(self) -> None:
        due_at = AT_HEAL
        for link in self._links:
            due_at = min(due_at, link.due_at())
        self._due_at = due_at


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
