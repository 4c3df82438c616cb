"""The conductor against a proxy that only remembers what it was told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from chaosproxy.errors import PartFailed, RunAborted
from chaosproxy.journal.records import FaultEdge
from chaosproxy.plan.rule import Rule
from chaosproxy.runner.conductor import Conductor, Cue


def _rule(name: str) -> Rule:
    return Rule.model_validate({"id": name, "listeners": ["a"], "do": {"type": "conn.blackhole"}})


def _edge(fault: str, edge: str) -> FaultEdge:
    return FaultEdge.model_validate({"fault": fault, "edge": edge, "at": time.monotonic(), "listeners": ["a"]})


@dataclass
class Memory:
    """A Faultline; ``told`` wakes whoever waits for the next command."""

    applied: list[list[str]] = field(default_factory=list)
    renewals: int = 0
    cleared: list[str] = field(default_factory=list)
    fails: str = ""
    left: list[str] = field(default_factory=list)
    stopped: str = ""
    told: asyncio.Event = field(default_factory=asyncio.Event)

    async def apply(self, owner: str, rules: Sequence[Rule], *, lease_s: float, seed: int) -> None:
        self._maybe_fail("apply")
        self.applied.append([rule.id for rule in rules])
        self.told.set()

    async def renew(self, owner: str, *, lease_s: float) -> None:
        self.renewals += 1
        self.told.set()
        self._maybe_fail("renew")

    async def clear(self, owner: str) -> None:
        self._maybe_fail("clear")
        self.cleared.append(owner)

    async def active(self, owner: str) -> list[str]:
        return self.left

    async def halted(self) -> str:
        self._maybe_fail("halted")
        return self.stopped

    async def next(self) -> None:
        """Wait for a command."""
        async with asyncio.timeout(5):
            await self.told.wait()
        self.told.clear()

    def _maybe_fail(self, command: str) -> None:
        if command == self.fails:
            raise PartFailed("the proxy is away")


def _conductor(line: Memory, troubles: list[str], lease_s: float = 60.0) -> Conductor:
    clock, trouble = time.monotonic, troubles.append
    return Conductor(line, "run", seed=1, lease_s=lease_s, clock=clock, trouble=trouble, halted=line.halted)


@asynccontextmanager
async def _playing(conductor: Conductor, *cues: Cue) -> AsyncIterator[None]:
    task = asyncio.create_task(conductor.play(cues, time.monotonic()))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class TestCues:
    """When faults are applied."""

    async def test_a_fault_with_a_time_is_applied_beside_those_that_act(self) -> None:
        """Each apply names the whole set of the run."""
        line = Memory()
        async with _playing(_conductor(line, []), Cue(_rule("a"), 0.0), Cue(_rule("b"), 0.02)):
            await line.next()
            await line.next()

        assert line.applied == [["a"], ["a", "b"]]

    async def test_a_fault_can_wait_for_the_heal_of_another(self) -> None:
        """``after: a.healed`` counts from the proxy's own word; the healed one is not asked for again."""
        line = Memory()
        conductor = _conductor(line, [])
        async with _playing(conductor, Cue(_rule("a"), 0.0), Cue(_rule("b"), 0.0, "a", "healed")):
            await line.next()
            conductor.notice(_edge("a", "applied"))
            await asyncio.sleep(0)
            assert line.applied == [["a"]]
            conductor.notice(_edge("a", "healed"))
            await line.next()

        assert line.applied == [["a"], ["b"]]

    async def test_an_edge_that_came_before_the_wait_counts(self) -> None:
        """Nobody has to listen at the moment at which an edge is reported."""
        line = Memory()
        conductor = _conductor(line, [])
        conductor.notice(_edge("a", "applied"))
        async with _playing(conductor, Cue(_rule("b"), 0.0, "a", "applied")):
            await line.next()

        assert line.applied == [["b"]]


class TestLeases:
    """What keeps faults alive, and what ends them."""

    async def test_leases_are_renewed_while_faults_act(self) -> None:
        """Several renewals fit into a lease, so that one may be lost."""
        line = Memory()
        async with _playing(_conductor(line, [], lease_s=0.06), Cue(_rule("a"), 0.0)):
            while line.renewals < 3:
                await line.next()

        assert line.renewals >= 3

    async def test_a_renewal_that_fails_is_told_and_tried_again(self) -> None:
        """The lease does the rest: a proxy that cannot be reached heals by itself."""
        line, troubles = Memory(fails="renew"), list[str]()
        async with _playing(_conductor(line, troubles, lease_s=0.03), Cue(_rule("a"), 0.0)):
            while line.renewals < 2:
                await line.next()

        assert troubles[0] == "a lease could not be renewed: the proxy is away"

    async def test_a_fault_that_somebody_else_ends_ends_the_run(self) -> None:
        """Our own heal and the fault's own end do not."""
        line = Memory()
        conductor = _conductor(line, [])
        playing = asyncio.create_task(conductor.play([Cue(_rule("a"), 0.0), Cue(_rule("b"), 0.0)], time.monotonic()))
        while len(line.applied) < 2:
            await line.next()
        conductor.notice(_edge("a", "healed"))  # its time was over
        await asyncio.sleep(0)
        assert not playing.done()
        conductor.notice(_edge("b", "healed").model_copy(update={"why": "cleared"}))
        with pytest.raises(RunAborted, match="fault 'b' was ended by somebody else"):
            await playing
        healing = _conductor(line, [])
        await healing.heal()
        healing.notice(_edge("b", "healed").model_copy(update={"why": "cleared"}))
        assert not healing._stopped.done()

    @pytest.mark.parametrize(
        ("stopped", "fails", "words"),
        [
            ("incident 4711", "", "^everything was stopped: incident 4711$"),
            ("incident 4711", "halted", "^fault 'a' was ended by somebody else$"),
            ("", "", "^fault 'a' was ended by somebody else$"),
        ],
    )
    async def test_a_stop_of_everything_is_named_with_its_reason(self, stopped: str, fails: str, words: str) -> None:
        """As far as the proxy tells."""
        line = Memory(stopped=stopped, fails=fails)
        conductor = _conductor(line, [])
        playing = asyncio.create_task(conductor.play([Cue(_rule("a"), 0.0)], time.monotonic()))
        await line.next()
        conductor.notice(_edge("a", "healed").model_copy(update={"why": "cleared"}))
        with pytest.raises(RunAborted, match=words):
            await playing

    async def test_a_fault_that_cannot_be_applied_fails_the_run(self) -> None:
        """A fault that never existed is no pass."""
        conductor = _conductor(Memory(fails="apply"), [])

        with pytest.raises(PartFailed, match="the proxy is away"):
            await conductor.play([Cue(_rule("a"), 0.0)], time.monotonic())

    async def test_heal_clears_what_the_run_owns(self) -> None:
        """And nothing of anybody else's."""
        line = Memory()

        await _conductor(line, []).heal()

        assert line.cleared == ["run"]

    async def test_a_heal_that_leaves_something_is_none(self) -> None:
        """The proxy's own list has the last word."""
        line = Memory(left=["a"])

        with pytest.raises(PartFailed, match="still active after they were cleared: a"):
            await _conductor(line, []).heal()
