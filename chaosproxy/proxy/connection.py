"""Client connections on aiohttp's low-level server, whose strict request parser stays in front of everything.

``Connection`` adds callbacks for back-pressure and loss to aiohttp's handler; ``Handover`` tells it that the answer was
already written by an HttpWire. ``Slammed`` and ``TurnedAway`` are what a connection is while it may not be one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import structlog
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from chaosproxy.proxy.client_wire import HttpWire, head_bytes, reason_phrase, reset
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.own_answer import own_error
from chaosproxy.proxy.plain_traceback import plain_traceback
from chaosproxy.proxy.raw_pipe import RawPipe
from chaosproxy.proxy.refusals import INTERNAL

log = structlog.get_logger()

Receive = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Refused = Callable[[str], None]
"""Is told of each request that we answer with an error of our own, and its kind."""

TURN_AWAY_S = 1.0
"""How long a client that is turned away has to read why."""


class Handover(web.StreamResponse):
    """The end of a request whose answer an HttpWire wrote."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._keep_alive = keep_alive

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


class Connection(web.RequestHandler):
    """One client connection."""

    __slots__ = ("_pipe", "_refused", "busy", "closing", "limits", "wire")

    def __init__(self, server: web.Server, limits: Limits, refused: Refused, **settings: Any) -> None:
        super().__init__(server, **settings)
        self.limits = limits
        self._refused = refused
        self.wire: HttpWire | None = None
        self.busy = False
        self.closing = False
        self._pipe: ConnectionPipe | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        cast(asyncio.Transport, transport).set_write_buffer_limits(self.limits.unsent_bytes)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self.wire is not None:
            self.wire.lost()
        if self._pipe is not None:
            self._pipe.lost()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.wire is not None:
            self.wire.filled()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.wire is not None:
            self.wire.drained()

    def close_when_idle(self) -> None:
        """Close now, or after the exchange that is under way."""
        self.closing = True
        if not self.busy and self.transport is not None:
            self.transport.close()

    def become_pipe(self, on_closed: Callable[[], None]) -> ConnectionPipe:
        """Give up HTTP: the connection carries bytes from here on."""
        self._pipe = ConnectionPipe(self, on_closed)
        return self._pipe

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """A request that is not HTTP, or a bug of ours: say which, and close."""
        kind = "bad_request" if status < 500 else INTERNAL
        if status >= 500:
            log.error("exchange_failed", stack=plain_traceback(exc))
        self._refused(kind)
        first_line = (message or "").strip().partition("\n")[0]
        headers, body = own_error(kind, first_line or "the request could not be handled")
        answer = web.Response(status=status, body=body, headers=headers)
        answer.force_close()
        return answer


class ConnectionPipe(RawPipe):
    """A client connection after a 101."""

    def __init__(self, connection: Connection, on_closed: Callable[[], None]) -> None:
        super().__init__(connection)
        self._connection = connection
        self._on_closed = on_closed
        self._on_lost: Callable[[], None] | None = None

    def start(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self._on_data, self._on_lost = on_data, on_lost
        self._connection.set_parser(self)  # type: ignore[arg-type]

    def close(self) -> None:
        if self._connection.transport is not None:
            self._connection.transport.close()
        self._on_closed()

    def lost(self) -> None:
        """From the connection."""
        self._on_closed()
        if self._on_lost is not None:
            self._on_lost()


class Server(web.Server):
    """Makes connections that call ``receive`` for each request."""

    def __init__(self, receive: Receive, limits: Limits, refused: Refused) -> None:
        super().__init__(receive)
        self._limits = limits
        self._refused = refused

    def __call__(self) -> Connection:
        return Connection(
            self,
            self._limits,
            self._refused,
            loop=self._loop,
            auto_decompress=False,
            access_log=None,
            keepalive_timeout=self._limits.keepalive_s,
            max_line_size=self._limits.header_bytes,
            max_field_size=self._limits.header_bytes,
            read_bufsize=self._limits.unread_bytes,
        )


class Slammed(asyncio.Protocol):
    """A connection that is reset as soon as it is there."""

    def __init__(self, on_slam: Callable[[], None]) -> None:
        self._on_slam = on_slam

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        reset(cast(asyncio.Transport, transport))
        self._on_slam()


class TurnedAway(asyncio.Protocol):
    """One connection too many: its first request is answered with 503."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        asyncio.get_running_loop().call_later(TURN_AWAY_S, self._transport.close)

    def data_received(self, data: bytes) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        headers, body = own_error("connections", f"the limit of {self._limit} connections is reached")
        headers += (("Connection", "close"), ("Retry-After", "1"))
        transport.write(head_bytes(503, reason_phrase(503), headers) + body)
        transport.write_eof()
