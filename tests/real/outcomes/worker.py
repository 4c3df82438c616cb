"""The process in LiteLLM's own environment, and how it is asked."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from tests.real.outcomes.sdks import TIMEOUT_S
from tests.real.outcomes.seen import Seen

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-litellm" / "bin" / "python"
SAID_BYTES = 4000
"""How much of what it said is shown when it dies."""


class Worker:
    """Many questions at a time; the answers come in any order."""

    def __init__(self, process: asyncio.subprocess.Process, said: IO[bytes]) -> None:
        self._process = process
        self._said = said
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Seen]] = {}
        self.versions: dict[str, str] = {}

    async def ask(self, way: str, url: str, backup: str, deadline_s: float) -> Seen:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        case = {"id": number, "way": way, "url": url, "backup": backup}
        line = json.dumps({**case, "timeout_s": TIMEOUT_S, "deadline_s": deadline_s})
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        return await self._waiting[number]

    async def start(self) -> None:
        """Wait until it is ready."""
        line = await self._line()
        if line is None:
            raise RuntimeError(self._last_words())
        self.versions = line

    async def read(self) -> None:
        """Hand out the answers until it ends."""
        while (line := await self._line()) is not None:
            waiting = self._waiting.pop(line["id"])
            if not waiting.done():
                waiting.set_result(Seen(**line["seen"]))
        for waiting in self._waiting.values():
            waiting.set_exception(RuntimeError(self._last_words()))

    async def _line(self) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        return json.loads(line) if line else None

    def _last_words(self) -> str:
        self._said.seek(0)
        return f"LiteLLM's process ended: {self._said.read()[-SAID_BYTES:].decode(errors='replace')}"


@asynccontextmanager
async def litellm_worker() -> AsyncIterator[Worker]:
    """Run it. ``-E`` keeps our own environment out of its own."""
    pipe = asyncio.subprocess.PIPE
    with TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            *(str(PYTHON), "-E", "-s", "-m", "tests.real.outcomes.litellm_worker"),
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if "PROXY" not in key.upper()},
            stdin=pipe,
            stdout=pipe,
            stderr=said,
        )
        worker = Worker(process, said)
        try:
            await worker.start()
            reading = asyncio.create_task(worker.read())
            yield worker
            assert process.stdin is not None
            process.stdin.close()
            await reading
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
