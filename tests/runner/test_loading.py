"""A load process as its run sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

from chaosproxy.journal.records import AnyRecord, Mark, to_line
from chaosproxy.runner.loading import Loading
from chaosproxy.runner.parts import Part


class Killed:
    """A process that died while it wrote a record."""

    async def lines(self) -> AsyncIterator[str]:
        """One record, and half of another."""
        line = to_line(Mark(name="a", at=1.0)).decode()
        yield line
        yield line[:12]

    async def stop(self) -> None:
        """It has ended."""


async def test_half_a_record_of_a_load_that_was_killed() -> None:
    """Its status says that it broke; what it had told before is kept."""
    told: list[AnyRecord] = []

    await Loading(cast(Part, Killed()), told.append).stop()

    assert told == [Mark(name="a", at=1.0)]
