"""What a client connection is while it may not be one: reset, or told that there is no room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from chaosproxy.proxy.capacity import Capacity
from chaosproxy.proxy.client_wire import head_bytes, reason_phrase
from chaosproxy.proxy.own_answer import own_error

TURN_AWAY_S = 1.0
"""How long a client that is turned away has to read why."""


class Slammed(asyncio.Protocol):
    """A connection that is ended as soon as it is there, by ``end``."""

    def __init__(self, end: Callable[[asyncio.Transport], None], on_slam: Callable[[], None]) -> None:
        self._end = end
        self._on_slam = on_slam

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._end(cast(asyncio.Transport, transport))
        self._on_slam()


def close_politely(transport: asyncio.Transport) -> None:
    """FIN now; the rest later, because closing with unread bytes would send an RST instead."""
    transport.write_eof()
    asyncio.get_running_loop().call_later(TURN_AWAY_S, transport.close)


class ShownOut(asyncio.Protocol):
    """One connection too many where nobody knows what is spoken: closed as soon as it is there."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        close_politely(cast(asyncio.Transport, transport))

    def connection_lost(self, exc: BaseException | None) -> None:
        self._capacity.turned_away()


class TurnedAway(asyncio.Protocol):
    """One connection too many: its first request is answered with 503."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        asyncio.get_running_loop().call_later(TURN_AWAY_S, self._transport.close)

    def data_received(self, data: bytes) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        headers, body = own_error("connections", f"the limit of {self._capacity.limit} connections is reached")
        headers += (("Connection", "close"), ("Retry-After", "1"))
        transport.write(head_bytes(503, reason_phrase(503), headers) + body)
        transport.write_eof()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._capacity.turned_away()
