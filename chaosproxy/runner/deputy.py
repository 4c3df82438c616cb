"""Does and undoes outside actions for a runner, and undoes them also when the runner is gone.

``python -m chaosproxy.runner.deputy`` reads orders from standard input, a JSON object a line, and answers each when it
is carried out. The runner holds the other end: when that closes, for whatever reason (a kill -9 included), what is not
undone yet is undone, the last one first. Only the standard library is imported.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

ORDER_BYTES_MAX = 1 << 20


@dataclass
class Hook:
    """An action that was begun, and what takes it back."""

    undo: list[str]
    timeout_s: float
    doing: asyncio.Task[str] | None = None
    undoing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Deputy:
    """Carries out orders. Hooks stay in ``_begun`` until they are undone; then ``_undone`` has how that went."""

    def __init__(self) -> None:
        self._begun: dict[str, Hook] = {}
        self._undone: dict[str, str] = {}
        self._orders: set[asyncio.Task[None]] = set()

    async def serve(self, orders: asyncio.StreamReader) -> None:
        """Until the runner is gone or has no more orders; then undo what is left."""
        while line := await orders.readline():
            task = asyncio.create_task(self._obey(json.loads(line)))
            self._orders.add(task)
            task.add_done_callback(self._orders.discard)
        for name in reversed(list(self._begun)):
            failed = await self._undo(name)
            sys.stderr.write(f"the runner is gone; hook {name}: {failed or 'undone'}\n")

    async def _obey(self, order: dict[str, Any]) -> None:
        failed = await (self._do(order) if order["what"] == "do" else self._undo(order["hook"]))
        with suppress(BrokenPipeError):
            sys.stdout.write(json.dumps({"number": order["number"], "failed": failed}) + "\n")
            sys.stdout.flush()

    async def _do(self, order: dict[str, Any]) -> str:
        hook = self._begun[order["hook"]] = Hook(order["undo"], order["timeout_s"])
        hook.doing = asyncio.create_task(carry_out(order["argv"], hook.timeout_s))
        try:
            return await hook.doing
        except asyncio.CancelledError:
            return "it was ended, because the run was"

    async def _undo(self, name: str) -> str:
        """Once for each hook, whoever asks; a `do` that is still under way is ended first."""
        hook = self._begun.get(name)
        if hook is None:
            return self._undone.get(name, "")
        async with hook.undoing:
            if name in self._undone:
                return self._undone[name]
            if hook.doing is not None:
                hook.doing.cancel()
                await asyncio.gather(hook.doing, return_exceptions=True)
            self._undone[name] = failed = await carry_out(hook.undo, hook.timeout_s)
            del self._begun[name]
            return failed


async def carry_out(argv: list[str], timeout_s: float) -> str:
    """Run a program to its end; why it failed, or nothing. What it prints goes to standard error.

    At its timeout, or when this is cancelled, it is killed with all that it started.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=DEVNULL, stdout=sys.stderr, stderr=sys.stderr, start_new_session=True
        )
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "its name cannot be used"
        return f"cannot start {argv[0]}: {why.lower()}"
    try:
        status = await asyncio.wait_for(process.wait(), timeout_s)
    except TimeoutError:
        await _kill(process)
        return f"no end within {timeout_s:g} s"
    except asyncio.CancelledError:
        await _kill(process)
        raise
    if status == 0:
        return ""
    return f"ended by {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"


async def _kill(process: Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def main() -> None:
    """Serve standard input."""
    orders = asyncio.StreamReader(limit=ORDER_BYTES_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    sys.stdout.write("{}\n")
    sys.stdout.flush()
    await Deputy().serve(orders)


if __name__ == "__main__":
    asyncio.run(main())
