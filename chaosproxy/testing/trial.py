"""One fault on one case under virtual time, with everything that its stage was fed and emitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from random import Random

from chaosproxy.events import Abort, Ask, End, Frame, Head, Hit, Incoming, Miss, Outgoing, Tick, Travelling, moved
from chaosproxy.faults.base import Fault, Stage
from chaosproxy.faults.chain import Chain
from chaosproxy.testing.cases import Case

LEASE_S = 100_000.0
"""When the lease ends at last: after every delay that a fault may make."""

TICKS_MAX = 10_000
"""A stage that wants to be woken more often in one exchange never comes to rest."""


TICKS_ENOUGH = 30
"""When all is over, the lease of a stage that wants to be woken for ever ends after so many times."""


class Restless(Exception):
    """A stage asks to be woken again and again."""


@dataclass(slots=True)
class Watched:
    """A stage that remembers."""

    stage: Stage
    log: list[tuple[Incoming, list[Outgoing]]] = field(default_factory=list)
    as_they_were: list[tuple[object, object]] = field(default_factory=list)
    ticks: int = 0

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        """Feed the stage and note both sides."""
        self.ticks += isinstance(event, Tick)
        if self.ticks > TICKS_MAX:
            raise Restless
        self.as_they_were.append((event, copy(event)))
        emitted = list(self.stage.feed(event))
        self.as_they_were += [(each, copy(each)) for each in emitted]
        self.log.append((event, emitted))
        return emitted


@dataclass(frozen=True, slots=True)
class Trial:
    """What came out. ``out`` with the time at which it left; ``held_bytes`` are still held at the end.

    ``changed`` are events that did not stay as they were when they were fed or emitted.
    """

    case: Case
    out: tuple[Travelling, ...]
    said: tuple[Hit | Miss, ...]
    log: tuple[tuple[Incoming, list[Outgoing]], ...]
    held_bytes: int
    changed: tuple[object, ...] = ()

    @property
    def hit(self) -> bool:
        """Whether the fault says that it took effect."""
        return any(isinstance(said, Hit) for said in self.said)

    @property
    def frames(self) -> list[Frame]:
        """The frames that the client got."""
        return [event for event in self.out if isinstance(event, Frame)]

    @property
    def head(self) -> Head | None:
        """The head that the client got, or had got before."""
        return next((event for event in self.out if isinstance(event, Head)), self.case.exchange.seen.head)

    @property
    def ends(self) -> list[End | Abort]:
        """Terminal events; one, if the laws hold."""
        return [event for event in self.out if isinstance(event, End | Abort)]


Law = Callable[[Fault, Trial], str | None]
"""None, or the sentence that says how the law was broken."""


def trial(fault: Fault, case: Case) -> Trial:
    """Run the case. The upstream answers only if it was asked; the lease ends at ``heal_at``, or when all is over.

    Raises Restless, NeverRests.
    """
    watched = Watched(fault.stage(Random(case.seed), case.exchange))
    chain = Chain()
    chain.attach("fault", watched, case.attach_at)
    out = chain.advance(case.attach_at)
    heal_at = LEASE_S if case.heal_at is None else case.heal_at
    late_s = 0.0
    for event in case.events:
        event = moved(event, event.at + late_s)  # noqa: PLW2901 - an upstream that is asked late answers late
        if heal_at <= event.at and not chain.empty:
            out += _heal(chain, heal_at)
        if not isinstance(event, Ask) and not case.exchange.seen.open and not _asked(out):
            break
        chain.push(event)
        out += chain.advance(event.at)
        if isinstance(event, Ask) and not _asked(out):
            out += _until_asked(chain, heal_at)
            late_s = max((asked.at for asked in out if isinstance(asked, Ask)), default=event.at) - event.at
    while (at := chain.next_at()) is not None and at < heal_at:
        out += chain.advance(at)
        if watched.ticks > TICKS_ENOUGH:
            heal_at = at
    if not chain.empty:
        out += _heal(chain, heal_at)
    said = tuple(report.said for report in chain.take_reports())
    changed = tuple(event for event, before in watched.as_they_were if event != before)
    return Trial(case, tuple(out), said, tuple(watched.log), chain.held_bytes, changed)


def _until_asked(chain: Chain, heal_at: float) -> list[Travelling]:
    out: list[Travelling] = []
    while not _asked(out) and (at := chain.next_at()) is not None and at < heal_at:
        out += chain.advance(at)
    return out if _asked(out) else out + _heal(chain, heal_at)


def _heal(chain: Chain, at: float) -> list[Travelling]:
    chain.heal("fault", at)
    return chain.advance(at)


def _asked(out: list[Travelling]) -> bool:
    return any(isinstance(event, Ask) for event in out)
