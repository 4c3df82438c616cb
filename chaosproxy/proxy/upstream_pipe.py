"""The upstream's end of a raw tunnel, on the connection that aiohttp's client opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
from aiohttp.client_proto import ResponseHandler

from chaosproxy.errors import UpstreamFailed


class UpstreamPipe:
    """Takes the connection of a 101 answer. ``closed`` is resolved when it is over."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        connection = answer.connection
        if connection is None or connection.protocol is None:
            raise UpstreamFailed(UpstreamFailed.RESET, "the connection was lost at its upgrade")
        self._protocol: ResponseHandler = connection.protocol
        self._on_data: Callable[[bytes], None] | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self._on_data = on_data
        self.closed.add_done_callback(lambda _: on_lost())
        if (lost := self._protocol.closed) is None:
            self.close()
        else:
            lost.add_done_callback(self._lost)
            self._protocol.set_parser(self, _NoPayload())

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """From aiohttp, which takes us for the parser of a WebSocket."""
        if self._on_data is not None:
            self._on_data(data)
        return False, b""

    def feed_eof(self) -> None:
        """From aiohttp; the end of the connection follows."""

    def write(self, data: bytes) -> bool:
        if self._protocol.transport is not None:
            self._protocol.transport.write(data)
        return not self._protocol.writing_paused

    async def drained(self) -> None:
        if self._protocol.transport is not None:
            await self._protocol._drain_helper()  # noqa: SLF001 - what aiohttp's own writer awaits

    def pause(self) -> None:
        self._protocol.pause_reading()

    def resume(self) -> None:
        self._protocol.resume_reading()

    def close(self) -> None:
        self._protocol.close()
        if not self.closed.done():
            self.closed.set_result(None)

    def _lost(self, lost: asyncio.Future[None]) -> None:
        if not lost.cancelled():
            lost.exception()  # retrieved, or asyncio complains
        self.close()


class _NoPayload:
    """Stands where aiohttp keeps the queue of a WebSocket."""

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """The end of the connection tells enough."""

    def is_eof(self) -> bool:
        return False
