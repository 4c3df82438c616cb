"""Applies faults on a Toxiproxy server at their times: a Faultline, as a proxy of ours is one.

The server knows no times, no leases and no hits. So all of these are kept here, and what the server has is asked of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from chaosproxy.errors import PartFailed
from chaosproxy.experiment.toxics import UNSEEN
from chaosproxy.journal.records import AnyRecord, FaultEdge, Trouble
from chaosproxy.journal.traffic import ON_THE_WAY, ExchangeRecord, FaultHit
from chaosproxy.plan.on_server import Hits, OnServer
from chaosproxy.plan.rule import Rule
from chaosproxy.runner.racing import until
from chaosproxy.toxics.board import Board, Held
from chaosproxy.toxics.remote import RETRY_EACH_S, Place, Remote

WATCH_EACH_S = 1.0
"""How often the server is asked whether it still has what it was given."""
FORGOTTEN = "the server had it no more: it was restarted, or somebody else removed it"
ENDLESS_S = 1e9
"""For a fault without ``lasts``."""


@dataclass(slots=True)
class Acting:
    """A fault with its times. ``phases`` are the spans in which it acts, the last one open while it does."""

    rule: Rule
    held: Held
    phases: list[tuple[float, float]] = field(default_factory=list)
    told: bool = False
    """Its end is in the journal."""
    ended: bool = False
    """The server has nothing of it any more."""
    task: asyncio.Task[None] | None = None

    def begin(self, at: float) -> None:
        """It acts from now on."""
        self.phases.append((at, float("inf")))

    def pause(self, at: float) -> None:
        """It acts no more."""
        if self.phases:
            self.phases[-1] = (self.phases[-1][0], min(at, self.phases[-1][1]))

    def met(self, record: ExchangeRecord) -> float | None:
        """When it first acted while this exchange was under way; None when it never did."""
        if record.listener not in self.rule.listeners or self.held.what.hits is not Hits.SEEN:
            return None
        end_at = float("inf") if record.sent.end_at is None else record.sent.end_at
        both = (max(begin, record.began_at) for begin, end in self.phases if begin < end_at and record.began_at < end)
        return next(both, None)


class ToxicLine:
    """The faults of one run on its server: ``what`` has them by id, ``places`` has the backends that they aim at."""

    def __init__(
        self,
        remote: Remote,
        places: Mapping[str, Place],
        what: Mapping[str, OnServer],
        *,
        clock: Callable[[], float],
        record: Callable[[AnyRecord], None],
        heal_within_s: float,
    ) -> None:
        self._server = remote.server
        self._board = Board(remote)
        self._places = places
        self._what = what
        self._clock = clock
        self._record = record
        self._heal_within_s = heal_within_s
        self._faults: dict[str, Acting] = {}
        self._watching: asyncio.Task[None] | None = None

    # the line --------------------------------------------------------------------------------------------------------

    async def apply(self, owner: str, rules: Sequence[Rule], *, lease_s: float, seed: int) -> None:
        """Begin those of the rules that have not begun; each ends by itself after its ``lasts``."""
        del owner, lease_s, seed  # a server knows none of them
        for rule in rules:
            if rule.id not in self._faults:
                await self._begin(rule)

    async def renew(self, owner: str, *, lease_s: float) -> None:
        """Nothing: what is on a server stays until it is removed."""

    async def clear(self, owner: str) -> None:
        """End all faults; asks again until the server has none of them, or the time for healing is up."""
        del owner
        await _stopped(fault.task for fault in self._faults.values())
        open_ones = [fault for fault in self._faults.values() if not fault.ended]
        done = await asyncio.gather(*(self._end(fault, "cleared") for fault in open_ones), return_exceptions=True)
        for failure in done:
            if isinstance(failure, BaseException):
                self._heal_within_s = 0.0  # whoever tries it again has waited already
                raise failure

    async def active(self, owner: str) -> list[str]:
        """The faults of which the server still has something, by its own word."""
        del owner
        proxies = await self._server.proxies() if self._faults else {}
        return [fault.rule.id for fault in self._faults.values() if self._board.left(fault.held, proxies)]

    async def close(self) -> None:
        """Stop waiting and watching; what is on the server is not touched."""
        await _stopped([self._watching, *(fault.task for fault in self._faults.values())])

    def notice(self, record: AnyRecord) -> None:
        """Note whom the faults met: the requests that were under way at our listeners behind the server meanwhile."""
        if isinstance(record, ExchangeRecord):
            for fault in self._faults.values():
                if (at := fault.met(record)) is not None:
                    self._record(_hit(fault.rule, at, record))

    # one fault -------------------------------------------------------------------------------------------------------

    async def _begin(self, rule: Rule) -> None:
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        places = tuple(self._places[name] for name in rule.listeners)
        fault = self._faults[rule.id] = Acting(rule, Held(rule.id, self._what[rule.id], places))
        await self._act(fault, "applied", "" if all(place.seen for place in places) else UNSEEN)
        fault.task = asyncio.create_task(self._live(fault))

    async def _live(self, fault: Acting) -> None:
        """Flap, and end, each in its time. What fails here is tried again when everything is healed."""
        end = fault.phases[0][0] + (ENDLESS_S if fault.rule.lasts is None else fault.rule.lasts)
        try:
            while fault.rule.flap is not None and self._clock() + fault.rule.flap.down < end:
                await until(self._clock() + fault.rule.flap.down, self._clock)
                await self._rest(fault)
                self._edge(fault, "flap_up")
                if self._clock() + fault.rule.flap.up >= end:
                    break
                await until(self._clock() + fault.rule.flap.up, self._clock)
                await self._act(fault, "flap_down")
            await until(end, self._clock)
            await self._end(fault, "lasts")
        except PartFailed as error:
            self._record(Trouble(at=self._clock(), part="toxics", detail=str(error)))

    async def _act(self, fault: Acting, edge: Literal["applied", "flap_down"], why: str = "") -> None:
        begun_at = self._clock()
        await self._board.put(fault.held)
        fault.begin(begun_at)
        self._edge(fault, edge, why)

    async def _rest(self, fault: Acting) -> None:
        """Take it away; asks again until it is gone, or the time for healing is up."""
        end = self._clock() + self._heal_within_s
        await _insisting(partial(self._board.take, fault.held), end, self._clock)
        fault.pause(self._clock())

    async def _end(self, fault: Acting, why: str) -> None:
        try:
            await self._rest(fault)
        except PartFailed as error:
            raise PartFailed(f"fault {fault.rule.id!r} may still act: {error}") from None
        fault.ended = True
        if fault.phases and not fault.told:
            fault.told = True
            self._edge(fault, "healed", why)

    # what the server says --------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Note what the server has forgotten; that it does not answer matters when it has to, at the end."""
        while True:
            await asyncio.sleep(WATCH_EACH_S)
            asked_at = self._clock()
            try:
                proxies = await self._server.proxies()
            except PartFailed:
                continue
            for fault in self._faults.values():
                began_before = bool(fault.phases) and fault.phases[-1][0] < asked_at
                if fault.held.acts and began_before and not self._board.whole(fault.held, proxies):
                    await self._forget(fault)

    async def _forget(self, fault: Acting) -> None:
        """The fault is over, whatever was planned; what may be left of it is removed with the others."""
        await _stopped([fault.task])
        if not fault.told:
            fault.pause(self._clock())
            fault.held.acts = False
            fault.told = True
            self._edge(fault, "healed", FORGOTTEN)

    def _edge(self, fault: Acting, edge: Literal["applied", "flap_up", "flap_down", "healed"], why: str = "") -> None:
        rule = fault.rule
        self._record(
            FaultEdge(
                fault=rule.id,
                edge=edge,
                at=self._clock(),
                listeners=list(rule.listeners),
                why=why,
                fault_type=rule.do.type,
            )
        )


def _hit(rule: Rule, at: float, record: ExchangeRecord) -> FaultHit:
    return FaultHit(
        fault=rule.id,
        at=at,
        listener=record.listener,
        exchange=record.id,
        call=record.call,
        detail=ON_THE_WAY,
    )


async def _insisting(work: Callable[[], Awaitable[None]], end: float, clock: Callable[[], float]) -> None:
    while True:
        try:
            return await work()
        except PartFailed:
            if clock() + RETRY_EACH_S > end:
                raise
        await asyncio.sleep(RETRY_EACH_S)


async def _stopped(tasks: Iterable[asyncio.Task[None] | None]) -> None:
    stopped = [task for task in tasks if task is not None]
    for task in stopped:
        task.cancel()
    await asyncio.gather(*stopped, return_exceptions=True)
