"""Connections to one upstream that wait for their next request."""

from __future__ import annotations

import asyncio
from collections import deque

from chaosproxy.proxy.upstream.connection import UpstreamConnection


class Pool:
    """Keeps idle connections for ``pooled_s``; the one used last is taken first. Needs a running loop."""

    def __init__(self, pooled_s: float) -> None:
        self._pooled_s = pooled_s
        self._loop = asyncio.get_running_loop()
        self._idle: deque[tuple[float, UpstreamConnection]] = deque()
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._idle)

    def take(self) -> UpstreamConnection | None:
        """One that is open and was idle for less than the limit."""
        oldest = self._loop.time() - self._pooled_s
        while self._idle:
            since, connection = self._idle.pop()
            if since > oldest and connection.usable:
                return connection
            connection.close()
        return None

    def give(self, connection: UpstreamConnection) -> None:
        """Keep a connection for the next request."""
        if self._closed:
            connection.close()
            return
        self._idle.append((self._loop.time(), connection))
        if self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(self._pooled_s, self._sweep)

    def close(self) -> None:
        """Close all that are idle, and keep none from now on."""
        self._closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        while self._idle:
            self._idle.pop()[1].close()

    def _sweep(self) -> None:
        """Close those that nobody wanted; the timer is for the one that is next."""
        now, self._sweep_timer = self._loop.time(), None
        while self._idle and (self._idle[0][0] + self._pooled_s <= now or not self._idle[0][1].usable):
            self._idle.popleft()[1].close()
        if self._idle:
            self._sweep_timer = self._loop.call_later(self._idle[0][0] + self._pooled_s - now, self._sweep)
