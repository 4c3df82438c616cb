"""A world to try plans in: target, proxy and lab in one event loop, on loopback sockets that stay open between runs."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Self, cast

from chaosproxy.errors import PartFailed
from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.traffic import ExchangeRecord, FaultHit
from chaosproxy.lab.backend import Backend
from chaosproxy.lab.load.marks import restarted_at
from chaosproxy.lab.text import expected_answer
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from chaosproxy.runner.virtual import running_loop, virtual_loop
from chaosproxy.search.observation import Asked, Blocking, Call, Observation, Opener, Plan, Run, Setting, Target

OWNER = "search"
SETTLE_S = 120.0
"""How long after a run its exchanges may still be open: an upstream that is drained, a client that lingers."""


class World:
    """One target behind one proxy, while it is entered. ``run`` tries one plan at a time."""

    def __init__(self, target: Target, setting: Setting, clock: Callable[[], float]) -> None:
        self._target = target
        self._clock = clock
        self._setting = setting
        self._stack = AsyncExitStack()
        self._entries: list[Entry] = []
        self._idle = asyncio.Event()
        self._expected = "".join(expected_answer(setting.prompt, setting.tokens))

    async def __aenter__(self) -> Self:
        """Start all. Raises PartFailed, and what opening the target raises."""
        setting = self._setting
        async with AsyncExitStack() as stack:
            lab = BackendSettings(tokens=setting.tokens, ttft=0.0, inter_token=0.0)
            backend = await stack.enter_async_context(Backend(lab))
            specs = [ListenerSpec(name, "127.0.0.1:0", backend.url, setting.dialect) for name in setting.listeners]
            self._proxy = await stack.enter_async_context(
                Proxy(specs, record=self._record, token=OWNER, clock=self._clock)
            )
            self._call = await self._opened(stack, self._proxy.urls)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def run(self, plan: Plan) -> Observation:
        """Try the plan on one call. Afterwards no fault is at work and no exchange is open."""
        setting = self._setting
        self._entries.clear()
        self._proxy.forget_calls()
        self._proxy.apply(plan, owner=OWNER, lease_s=setting.deadline_s + SETTLE_S, seed=setting.seed)
        began_at = self._clock()
        task = asyncio.ensure_future(self._ask())
        await asyncio.wait([task], timeout=setting.deadline_s)
        took_s, hung = self._clock() - began_at, not task.done()
        if hung and is_async(self._target):
            task.cancel()
            await asyncio.wait([task])
        self._proxy.clear(OWNER)
        if not task.done():  # a thread cannot be cancelled; without faults it comes to its end
            await asyncio.wait([task], timeout=SETTLE_S)
        if not task.done():
            raise PartFailed(f"the target is still busy {SETTLE_S:g} s after all faults have ended")
        await self._settle()
        return self._observed(task, took_s, hung=hung)

    async def _opened(self, stack: AsyncExitStack, urls: Mapping[str, str]) -> Call:
        if _opens(self._target):
            opened = cast(Opener, self._target)(urls)
            return await stack.enter_async_context(opened)
        if is_async(self._target):
            return cast(Call, self._target)
        blocking = cast(Blocking, self._target)
        return lambda asked: asyncio.to_thread(blocking, asked)

    async def _ask(self) -> str | None:
        return await self._call(Asked(self._setting.prompt, self._proxy.urls))

    async def _settle(self) -> None:
        """Until every exchange has ended, also those that the target has left."""
        deadline = self._clock() + SETTLE_S
        while self._proxy.open_exchanges and self._clock() < deadline:
            self._idle.clear()
            try:
                await asyncio.wait_for(self._idle.wait(), SETTLE_S)
            except TimeoutError:
                return

    def _record(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._idle.set()

    def _observed(self, task: asyncio.Task[str | None], took_s: float, *, hung: bool) -> Observation:
        error = None if hung or task.cancelled() else task.exception()
        if task.cancelled() and not hung:
            error = asyncio.CancelledError("the target cancelled itself")
        records = [entry.record for entry in self._entries]
        exchanges = sorted((each for each in records if isinstance(each, ExchangeRecord)), key=lambda e: e.began_at)
        kind = None if error is None else f"{type(error).__module__}.{type(error).__qualname__}"
        text = None if hung or error is not None else (task.result() or "")
        return Observation(
            expected=self._expected,
            text=text,
            restarted=text is not None and restarted_at(text, self._expected) is not None,
            error=None if error is None else f"{kind}: {error}",
            error_type=kind,
            hung=hung,
            took_s=took_s,
            deadline_s=self._setting.deadline_s,
            exchanges=tuple(exchanges),
            hits=tuple(each for each in records if isinstance(each, FaultHit)),
        )


def is_async(target: Target) -> bool:
    """Whether it is a coroutine function, or opens one: then its time may be virtual."""
    return inspect.iscoroutinefunction(target) or _opens(target)


def _opens(target: Target) -> bool:
    return inspect.isasyncgenfunction(inspect.unwrap(target)) or hasattr(target, "__aenter__")


@contextmanager
def opened(target: Target, setting: Setting) -> Iterator[Run]:
    """A world for code that is not asynchronous; its ``run`` tries one plan.

    In virtual time, but for a target that blocks. Raises UserError without the library for it.
    """
    virtual = is_async(target)
    with running_loop(virtual_loop() if virtual else asyncio.new_event_loop()) as loop:
        world = World(target, setting, loop.time if virtual else time.monotonic)
        loop.run_until_complete(world.__aenter__())
        try:
            yield lambda plan: loop.run_until_complete(world.run(plan))
        finally:
            loop.run_until_complete(world.__aexit__())
