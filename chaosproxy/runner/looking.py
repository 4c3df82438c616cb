"""The load of a run that makes none: real traffic goes on whatever we do, and is only looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from chaosproxy.journal.traffic import Underway
from chaosproxy.runner.racing import forever

LOOK_EACH_S = 0.25
"""How often the end of the last calls is looked for."""


class Looking:
    """In place of ``Loading``. ``underway`` asks the proxy; all methods raise PartFailed when that cannot be reached.

    ``entry`` is the listener whose requests are calls, None where nobody sees any; ``drain_s`` is how long calls that
    are under way at the end may take.
    """

    def __init__(
        self,
        underway: Callable[[], Awaitable[list[Underway]]],
        record: Callable[[Underway], None],
        clock: Callable[[], float],
        *,
        entry: str | None,
        drain_s: float,
    ) -> None:
        self._underway = underway
        self._record = record
        self._clock = clock
        self._entry = entry
        self._drain_s = drain_s

    async def underway(self) -> list[Underway]:
        """What has begun and not ended."""
        return await self._underway()

    async def must_live(self) -> NoReturn:
        """There is nothing of ours that could break."""
        await forever()

    async def send_no_more(self) -> None:
        """Nobody asks us."""

    async def drained(self) -> None:
        """Wait for the end of the calls that are under way now, and write down those that have none in time."""
        over_at = self._clock()
        while any(self._is_of_the_run(each, over_at) for each in await self._underway()):
            if self._clock() - over_at >= self._drain_s:
                break
            await asyncio.sleep(LOOK_EACH_S)
        await self.stop()

    async def stop(self) -> None:
        """Write down what has not ended."""
        for each in await self._underway():
            self._record(each)

    def _is_of_the_run(self, underway: Underway, over_at: float) -> bool:
        return underway.listener == self._entry and underway.began_at < over_at
