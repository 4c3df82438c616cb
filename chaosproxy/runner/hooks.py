"""The hooks of a run: outside actions, done at their times and undone in any case, the last one first.

A process of its own carries them out (``deputy``), so that they are undone also after a kill -9 of the runner.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from chaosproxy.errors import PartFailed
from chaosproxy.experiment.outside import HookEntry
from chaosproxy.experiment.references import fill
from chaosproxy.journal.records import Hooked
from chaosproxy.runner.parts import Part
from chaosproxy.runner.racing import until

GONE = "the process that carries out hooks has ended"


class Hooks:
    """The hooks of one run."""

    def __init__(
        self, hooks: Sequence[HookEntry], record: Callable[[Hooked], None], clock: Callable[[], float]
    ) -> None:
        self._hooks = hooks
        self._record = record
        self._clock = clock
        self._facts: Mapping[str, str] = {}
        self._deputy: Part | None = None
        self._listening: asyncio.Task[None] | None = None
        self._answers: list[asyncio.Future[str]] = []
        self._begun: dict[str, HookEntry] = {}

    async def start(self, directory: Path, facts: Mapping[str, str]) -> None:
        """Make ready; ``facts`` are what only the run knows. Raises PartFailed."""
        if self._hooks:
            self._facts = facts
            self._deputy = await Part.start_module("hooks", "chaosproxy.runner.deputy", [], directory)
            self._listening = asyncio.create_task(self._listen(self._deputy))

    async def play(self, origin: float) -> None:
        """Do each when its time has come, undo those that do not last, and end. Raises PartFailed when one fails."""
        playing = [asyncio.create_task(self._play_one(hook, origin)) for hook in self._hooks]
        try:
            await asyncio.gather(*playing)
        finally:
            for task in playing:
                task.cancel()
            await asyncio.gather(*playing, return_exceptions=True)

    async def undo(self) -> None:
        """Undo all that was begun, the last one first; what cannot be undone is recorded."""
        for hook in reversed(list(self._begun.values())):
            await self._undo_one(hook)

    async def close(self) -> None:
        """Undo what is left, and end."""
        await self.undo()
        if self._deputy is not None and self._listening is not None:
            await self._deputy.stop()
            await self._listening

    async def _play_one(self, hook: HookEntry, origin: float) -> None:
        await until(origin + hook.at, self._clock)
        self._begun[hook.id] = hook
        if failed := await self._carry_out(hook, "do"):
            raise PartFailed(f"hook {hook.id!r} failed: {failed}")
        if hook.lasts is not None:
            await until(origin + hook.at + hook.lasts, self._clock)
            await self._undo_one(hook)

    async def _undo_one(self, hook: HookEntry) -> None:
        await self._carry_out(hook, "undo")
        self._begun.pop(hook.id, None)

    async def _carry_out(self, hook: HookEntry, what: Literal["do", "undo"]) -> str:
        began = self._clock()
        try:
            failed = await self._order(hook, what)
        except asyncio.CancelledError:
            if what == "do":  # an undo goes on, and is asked for again
                self._tell(hook, what, began, "the run ended before it did")
            raise
        self._tell(hook, what, began, failed)
        return failed

    def _tell(self, hook: HookEntry, what: Literal["do", "undo"], began: float, failed: str) -> None:
        took_s = self._clock() - began
        self._record(Hooked(hook=hook.id, what=what, at=began, took_s=took_s, ok=not failed, detail=failed))

    async def _order(self, hook: HookEntry, what: Literal["do", "undo"]) -> str:
        if self._deputy is None or not self._deputy.running:
            return GONE
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        order = {
            "number": len(self._answers) - 1,
            "hook": hook.id,
            "what": what,
            "argv": [fill(word, self._facts) for word in hook.do.command],
            "undo": [fill(word, self._facts) for word in hook.undo.command],
            "timeout_s": hook.timeout,
        }
        await self._deputy.send(json.dumps(order))
        return await answer

    async def _listen(self, deputy: Part) -> None:
        async for line in deputy.lines():
            answer = json.loads(line)
            if not (waiting := self._answers[answer["number"]]).done():
                waiting.set_result(answer["failed"])
        for waiting in self._answers:
            if not waiting.done():
                waiting.set_result(GONE)
