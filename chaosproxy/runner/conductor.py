"""Applies the faults of an experiment at their times, and keeps their leases until it is told to stop.

The proxies do the rest by themselves: a fault with ``lasts`` ends there, and all of them end there when we fall silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from chaosproxy.errors import ChaosError, PartFailed, RunAborted
from chaosproxy.journal.records import AnyRecord, FaultEdge
from chaosproxy.plan.rule import Rule

if TYPE_CHECKING:
    from chaosproxy.experiment.model import Experiment

RENEWALS_PER_LEASE = 3
REASON_WITHIN_S = 1.0
"""How long the proxy may take to say why it ended a fault; the run is over either way."""


class Faultline(Protocol):
    """How the runner speaks to a proxy, its own included. All raise PartFailed when the proxy cannot be reached."""

    async def apply(self, owner: str, rules: Sequence[Rule], *, lease_s: float, seed: int) -> None:
        """Make ``rules`` the whole set of ``owner``."""

    async def renew(self, owner: str, *, lease_s: float) -> None:
        """Prolong its leases."""

    async def clear(self, owner: str) -> None:
        """End all its faults."""

    async def active(self, owner: str) -> list[str]:
        """Its faults that are active now."""


@dataclass(frozen=True, slots=True)
class Cue:
    """When a fault starts: ``delay_s`` after the origin (``after`` empty) or after an edge of another fault."""

    rule: Rule
    delay_s: float
    after: str = ""
    edge: str = ""


def cues_of(experiment: Experiment) -> list[Cue]:
    """When which rule begins."""
    rules = experiment.rules()
    return [
        Cue(rules[fault.id], fault.delay if fault.at is None else fault.at, *(fault.after or "").rpartition(".")[::2])
        for fault in experiment.faults
    ]


class Conductor:
    """Plays the cues. ``trouble`` is told, in words, what went wrong beside.

    ``halted`` asks the proxy why everything was stopped there: nothing where it was not. It raises PartFailed.
    """

    def __init__(
        self,
        line: Faultline,
        owner: str,
        *,
        seed: int,
        lease_s: float,
        clock: Callable[[], float],
        trouble: Callable[[str], None],
        halted: Callable[[], Awaitable[str]],
    ) -> None:
        self._line = line
        self._owner = owner
        self._seed = seed
        self._lease_s = lease_s
        self._clock = clock
        self._trouble = trouble
        self._halted = halted
        self._wanted: dict[str, Rule] = {}
        self._edges: dict[tuple[str, str], asyncio.Future[float]] = {}
        self._applying = asyncio.Lock()
        self._stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def notice(self, record: AnyRecord) -> None:
        """Follow what the proxy reports: edges start other faults, a fault that ended is not asked for again."""
        if isinstance(record, FaultEdge) and record.edge in ("applied", "healed"):
            if record.edge == "healed":
                wanted = self._wanted.pop(record.fault, None)
                if wanted is not None and record.why == "cleared" and not self._stopped.done():
                    self._stopped.set_result(record.fault)
            edge = self._edge(record.fault, record.edge)
            if not edge.done():
                edge.set_result(record.at)

    async def play(self, cues: Iterable[Cue], origin: float) -> None:
        """Apply each fault when its time has come and renew leases, until cancelled.

        Raises PartFailed, and RunAborted when somebody else ends one of our faults.
        """
        try:
            async with asyncio.TaskGroup() as playing:
                playing.create_task(self._renew_forever())
                playing.create_task(self._until_stopped())
                for cue in cues:
                    playing.create_task(self._play_one(cue, origin))
        except BaseExceptionGroup as group:  # Python 3.11.2 wraps what an `except*` raises
            failed, others = group.split(ChaosError)
            if failed is None or others is not None:
                raise
            raise failed.exceptions[0] from None

    async def heal(self) -> None:
        """End all our faults now. Raises PartFailed when the proxy does not confirm that none is left."""
        self._wanted.clear()
        await self._line.clear(self._owner)
        if left := await self._line.active(self._owner):
            raise PartFailed(f"still active after they were cleared: {', '.join(left)}")

    async def _play_one(self, cue: Cue, origin: float) -> None:
        start = origin
        if cue.after:
            start = await asyncio.shield(self._edge(cue.after, cue.edge))
        await asyncio.sleep(max(0.0, start + cue.delay_s - self._clock()))
        async with self._applying:
            self._wanted[cue.rule.id] = cue.rule
            await self._line.apply(self._owner, list(self._wanted.values()), lease_s=self._lease_s, seed=self._seed)

    async def _until_stopped(self) -> None:
        fault = await asyncio.shield(self._stopped)
        why = await self._why_halted()
        raise RunAborted(everything_stopped(why) if why else f"fault {fault!r} was ended by somebody else")

    async def _why_halted(self) -> str:
        try:
            async with asyncio.timeout(REASON_WITHIN_S):
                return await self._halted()
        except (ChaosError, TimeoutError):
            return ""

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / RENEWALS_PER_LEASE)
            if self._wanted:
                try:
                    await self._line.renew(self._owner, lease_s=self._lease_s)
                except ChaosError as error:
                    self._trouble(f"a lease could not be renewed: {error}")

    def _edge(self, fault: str, edge: str) -> asyncio.Future[float]:
        return self._edges.setdefault((fault, edge), asyncio.get_running_loop().create_future())


def everything_stopped(why: str) -> str:
    """Why a run ends that somebody stopped at its proxy."""
    return f"everything was stopped: {why}"
