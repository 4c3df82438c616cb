"""What happens when: everything starts, the plan changes and changes, everything ends, and the sums are done."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiohttp

from benchmarks.soak.audit import Audit
from benchmarks.soak.calls import Calls
from benchmarks.soak.changes import Changes
from benchmarks.soak.scene import BYTES, ECHO, MODELS, Scene, running
from benchmarks.soak.watch import MB, Figures, Scrape, Watch
from chaosproxy.control.client import ControlClient
from chaosproxy.plan.rule import Rule
from chaosproxy.runner.racing import first_of

LEASE_S = 5.0
"""As an experiment has it by default."""
OWNER, OTHER = "soak", "somebody-else"
LOOK_S = 1.0
REST_S = 90.0
"""How long the proxy may take to come to rest: longer than it reads on from an upstream that nobody listens to."""
TELL_S = 30.0
_WARM = Rule.model_validate({"id": "warm", "listeners": [MODELS], "do": {"type": "time.first_token", "mean": "5ms"}})
"""The first timed event opens a descriptor that stays."""


@dataclass(slots=True)
class Plans:
    """How the plan changed."""

    swapped: int = 0
    renewed: int = 0
    left: int = 0
    """To their leases, as by a runner that is gone."""
    cleared: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What a soak has to say; ``audit`` is of the proxy's journal, ``sums`` are its own counters at the end."""

    seconds: float
    streams: int
    before: Figures
    after: Figures
    sums: Scrape
    seen: list[tuple[float, int]]
    calls: Calls
    plans: Plans
    visits: dict[str, int]
    audit: Audit
    proxy_code: int


@dataclass(slots=True)
class Soak:
    """One soak of so many seconds; ``tell`` gets a line now and then."""

    seconds: float
    streams: int
    seed: int
    tell: Callable[[str], None]
    calls: Calls = field(default_factory=Calls)
    plans: Plans = field(default_factory=Plans)

    async def run(self, folder: Path) -> Found:
        """All of it. Raises PartFailed and BenchmarkFailed."""
        async with running(folder) as scene, ControlClient(scene.urls["control"]) as control:
            watch = Watch(scene.proxy.pid, scene.urls["control"])
            await _warm_up(scene, control)
            before = await self._at_rest(watch, control, None)
            await scene.begin(self.streams, self.seconds)
            await first_of(self._count(scene), self._look(watch), self._change(control))
            await control.clear()
            visits = await _send_home(scene)
            after = await self._at_rest(watch, control, before)
            sums = await watch.scrape()
            await scene.proxy.stop()
            code = await scene.proxy.wait()
        with scene.journal.open("rb") as lines:
            audit = Audit().read(lines).close()
        return Found(
            seconds=self.seconds,
            streams=self.streams,
            before=before,
            after=after,
            sums=sums,
            seen=watch.seen,
            calls=self.calls,
            plans=self.plans,
            visits=visits,
            audit=audit,
            proxy_code=code,
        )

    async def _count(self, scene: Scene) -> None:
        """Until the load is over."""
        async for line in scene.load.lines():
            self.calls.add(line)

    async def _look(self, watch: Watch) -> None:
        began_s = told_s = time.monotonic()
        while True:
            watch.look()
            if time.monotonic() - told_s >= TELL_S:
                told_s = time.monotonic()
                figures = await watch.figures()
                self.tell(
                    f"{told_s - began_s:5.0f} s  {figures.rss_bytes / MB:6.1f} MB  {figures.files:4} files "
                    f" {figures.tasks:3} tasks  {figures.timers:4} timers  {figures.open_exchanges:4} exchanges "
                    f" {sum(self.calls.ended.values())} calls  {self.plans.swapped} plans"
                )
            await asyncio.sleep(LOOK_S)

    async def _change(self, control: ControlClient) -> None:
        """Swap the plan about once a second; now and then do what else runners and people do."""
        chance, changes = Random(self.seed), Changes(self.seed, (MODELS, ECHO), (BYTES,))
        aside = Changes(self.seed + 1, (ECHO,), (BYTES,))
        while True:
            what = chance.random()
            if what < 0.75:
                await control.apply(OWNER, changes.next(), lease_s=LEASE_S, seed=self.seed)
                self.plans.swapped += 1
            elif what < 0.85:
                await control.renew(OWNER, lease_s=LEASE_S)
                self.plans.renewed += 1
            elif what < 0.93:
                rules = [_theirs(rule) for rule in aside.next()]
                await control.apply(OTHER, rules, lease_s=chance.choice((0.5, LEASE_S)), seed=self.seed)
                self.plans.left += 1
            elif what < 0.97:
                await control.clear(OWNER)
                self.plans.cleared += 1
            else:
                await control.apply(OWNER, changes.next(), lease_s=LEASE_S, seed=self.seed)
                self.plans.left += 1
                await asyncio.sleep(LEASE_S + 1)
            await asyncio.sleep(chance.uniform(0.5, 1.5))

    async def _at_rest(self, watch: Watch, control: ControlClient, wanted: Figures | None) -> Figures:
        """The figures when nothing is under way, and what is held is what was wanted; or when time is over."""
        until_s = time.monotonic() + REST_S
        while True:
            await control.status()  # its connection is one of those that are counted
            figures = await watch.figures()
            same = wanted is None or (figures.files, figures.tasks, figures.timers) == (
                wanted.files,
                wanted.tasks,
                wanted.timers,
            )
            if (figures.at_rest and same) or time.monotonic() > until_s:
                return figures
            await asyncio.sleep(LOOK_S)


def _theirs(rule: Rule) -> Rule:
    return rule.model_copy(update={"id": f"other-{rule.id}"})


async def _warm_up(scene: Scene, control: ControlClient) -> None:
    await control.apply(OWNER, [_WARM], lease_s=LEASE_S, seed=1)
    question = {"model": "m", "stream": True, "max_tokens": 2, "messages": [{"role": "user", "content": "hello"}]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{scene.urls[MODELS]}/v1/chat/completions", json=question, raise_for_status=True) as answer,
    ):
        await answer.read()
    await control.clear(OWNER)
    await asyncio.sleep(LEASE_S)  # idle upstream connections are closed by then


async def _send_home(scene: Scene) -> dict[str, int]:
    await scene.visitors.send("stop")
    async for line in scene.visitors.lines():
        visits: dict[str, int] = json.loads(line)["visits"]
        return visits
    return {}
