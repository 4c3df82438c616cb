"""The load of a run: a process of its own, so that neither the proxy's loop nor ours distorts its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from chaosproxy.errors import PartFailed
from chaosproxy.journal.records import AnyRecord, from_line
from chaosproxy.journal.traffic import Underway
from chaosproxy.lab.load.job import LoadJob
from chaosproxy.runner.parts import Part
from chaosproxy.runner.racing import forever

DRAIN_SLACK_S = 5.0
"""Beyond the longest time that a call may take, how long the load may need to end."""


class Loading:
    """A load process and the task that listens to it."""

    def __init__(self, part: Part, record: Callable[[AnyRecord], None]) -> None:
        self._part = part
        self._longest_call_s = 0.0
        self._listening = asyncio.create_task(self._listen(record))

    @classmethod
    async def start(cls, directory: Path, record: Callable[[AnyRecord], None]) -> Loading:
        """Start the process; once it is ready it waits for its job. Raises PartFailed."""
        return cls(await Part.start_module("load", "chaosproxy.lab.load", [], directory), record)

    async def begin(self, job: LoadJob) -> None:
        """Send calls as the job says."""
        self._longest_call_s = 2 * max(load.longest_timeout_s * load.requests_each for load in job.loads)
        await self._part.send(job.model_dump_json(by_alias=True))

    async def underway(self) -> list[Underway]:
        """What has begun and is in no record: nothing, for it tells of each call when it is sent."""
        return []

    async def died(self) -> None:
        """Wait for the end of the process; raises PartFailed when it is not a good one."""
        if status := await self._part.wait():
            raise PartFailed(f"the load ended with status {status}, see {self._part.log}")

    async def must_live(self) -> NoReturn:
        """Raises PartFailed when the load breaks; its good end is no news."""
        await self.died()
        await forever()

    async def send_no_more(self) -> None:
        """Let the calls that are under way be the last ones."""
        await self._part.send("stop")

    async def drained(self) -> None:
        """Wait until every call has ended; raises PartFailed when that takes longer than any call can."""
        try:
            await asyncio.wait_for(self.died(), self._longest_call_s + DRAIN_SLACK_S)
        except TimeoutError:
            raise PartFailed("the load did not end in time") from None
        finally:
            await self.stop()

    async def stop(self) -> None:
        """End it now, calls that are under way included, and take in all that it still reports."""
        await self._part.stop()
        await self._listening

    async def _listen(self, record: Callable[[AnyRecord], None]) -> None:
        async for line in self._part.lines():
            if line.endswith("\n"):  # it was killed in the middle of one that does not; its status tells
                record(from_line(line))
