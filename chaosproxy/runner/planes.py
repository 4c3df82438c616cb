"""The proxy of a run, whoever started it: how it is driven, what it reports, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol, Self

from chaosproxy.control.client import ControlClient
from chaosproxy.errors import PartFailed
from chaosproxy.journal.records import AnyRecord
from chaosproxy.journal.traffic import Underway
from chaosproxy.runner.attached import Attachment
from chaosproxy.runner.conductor import Faultline
from chaosproxy.runner.lines import Lines
from chaosproxy.runner.order import End
from chaosproxy.runner.racing import forever
from chaosproxy.runner.server_side import ServerSide
from chaosproxy.runner.systems import Stage

LATE_RECORDS_S = 0.5
"""An exchange whose call has ended may be written so much later."""


class Plane(Protocol):
    """All methods raise PartFailed."""

    @property
    def stage(self) -> Stage:
        """What stands around it."""

    @property
    def line(self) -> Faultline:
        """How faults are brought to it."""

    @property
    def patience_s(self) -> float:
        """How much longer than usual a heal may take to be confirmed."""

    def records(self) -> AsyncIterator[AnyRecord]:
        """What it reports, until ``finish``."""

    def expect(self, origin: float) -> None:
        """Be told when t = 0 is, before ``broken`` is awaited."""

    async def underway(self) -> list[Underway]:
        """The exchanges that have begun and not ended, on our clock."""

    async def halted(self) -> str:
        """Why everything was stopped at it; nothing where it was not."""

    async def broken(self) -> End:
        """Raises PartFailed (or RunAborted) when the run cannot go on with it; never returns."""

    async def finish(self) -> None:
        """Let it report the rest; ``records`` ends."""


class OwnProxy:
    """A proxy that the run has started, and the Toxiproxy server in front of it, if there is one."""

    def __init__(self, stage: Stage, server: ServerSide) -> None:
        if stage.control is None or stage.proxy is None:
            raise PartFailed("the proxy was not started")
        self.stage = stage
        self.patience_s = server.heal_within_s
        self._client = ControlClient(stage.control.url, stage.control.token)
        there = server.line
        self.line: Faultline = self._client if there is None else Lines(self._client, there, server.faults)
        self._part = stage.proxy

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._client.__aexit__()

    def records(self) -> AsyncIterator[AnyRecord]:
        return self._client.events()

    def expect(self, origin: float) -> None:
        """Nobody watches it but the run."""

    async def underway(self) -> list[Underway]:
        return await self._client.underway()

    async def halted(self) -> str:
        return (await self._client.status()).halted

    async def broken(self) -> End:
        await forever()  # it is among the parts that must live

    async def finish(self) -> None:
        await self._part.stop()


class OthersProxy:
    """A proxy that goes on when the run is over."""

    def __init__(self, stage: Stage, there: Attachment, record: Callable[[AnyRecord], None]) -> None:
        self.stage = stage
        self.line = there
        self.patience_s = there.lease_s  # which may have to run out before a heal can be confirmed
        self._record = record
        self._over = asyncio.Event()

    async def records(self) -> AsyncIterator[AnyRecord]:
        """Until it has caught up."""
        records = self.line.records()
        over = asyncio.ensure_future(self._over.wait())
        try:
            while True:
                coming = asyncio.ensure_future(anext(records))
                await asyncio.wait([coming, over], return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    await asyncio.gather(coming, return_exceptions=True)
                    return
                yield coming.result()
        finally:
            over.cancel()

    def expect(self, origin: float) -> None:
        self.line.origin = origin

    async def underway(self) -> list[Underway]:
        return await self.line.underway()

    async def halted(self) -> str:
        return await self.line.halted()

    async def broken(self) -> End:
        await self.line.held()
        await forever()

    async def finish(self) -> None:
        await asyncio.sleep(LATE_RECORDS_S)
        try:
            await self.line.caught_up()
            self._record(await self.line.compared())
        finally:
            self._over.set()
