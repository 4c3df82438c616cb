"""A client that takes nothing of what was written for it: it would hold its place, and its upstream, for ever."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaosproxy.proxy.connection import Connection


class UntakenWatch:
    """Aborts a connection of whose written bytes its client took none for ``limit_s``.

    Bytes that toxics hold back are no fault of the client's.
    """

    __slots__ = ("_connection", "_limit_s", "_timer", "_waiting")

    def __init__(self, connection: Connection, limit_s: float) -> None:
        self._connection = connection
        self._limit_s = limit_s
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = 0  # bytes, when we looked last

    def start(self) -> None:
        """Look from now on, as long as something waits."""
        if self._timer is None:
            self._look_later()

    def stop(self) -> None:
        """It was taken, or the connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self) -> None:
        transport = self._connection.transport
        self._waiting = 0 if transport is None else transport.get_write_buffer_size()
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(self._limit_s, self._look)

    def _look(self) -> None:
        self._timer = None
        connection, before = self._connection, self._waiting
        transport = connection.transport
        if transport is None:
            return
        if transport.get_write_buffer_size() == before and connection.poisoned is None:
            connection.abandon()
        else:
            self._look_later()
