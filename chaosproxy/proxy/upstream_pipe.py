"""The upstream's end of a raw tunnel, on the connection that aiohttp's client opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
from aiohttp.client_proto import ResponseHandler

from chaosproxy.errors import UpstreamFailed
from chaosproxy.proxy.raw_pipe import RawPipe


class UpstreamPipe(RawPipe):
    """Takes the connection of a 101 answer. ``closed`` is resolved when it is over."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        connection = answer.connection
        if connection is None or connection.protocol is None:
            raise UpstreamFailed(UpstreamFailed.RESET, "the connection was lost at its upgrade")
        super().__init__(connection.protocol)
        self._handler: ResponseHandler = connection.protocol
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self._on_data = on_data
        self.closed.add_done_callback(lambda _: on_lost())
        if (lost := self._handler.closed) is None:
            self.close()
        else:
            lost.add_done_callback(self._lost)
            self._handler.set_parser(self, _NoPayload())

    def close(self) -> None:
        self._handler.close()
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
