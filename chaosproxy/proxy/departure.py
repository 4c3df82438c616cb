"""A client that leaves while nobody reads from it: its FIN waits behind what it sent, and no loop tells of that."""

from __future__ import annotations

import asyncio
import socket

LOOK_S = 0.04
_OPEN_THERE = (1, 4, 5)  # ESTABLISHED, FIN_WAIT1, FIN_WAIT2: the first byte of Linux's struct tcp_info
_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)


class DepartureWatch:
    """Aborts a connection that is not read as soon as its peer has closed it.

    A FIN behind more than the kernel takes for us cannot be seen. Does nothing where TCP_INFO is unknown.
    """

    __slots__ = ("_timer", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._timer: asyncio.TimerHandle | None = None
        if _TCP_INFO is not None:
            self._look_later()

    def stop(self) -> None:
        """It is read again, or gone."""
        if self._timer is not None:
            self._timer.cancel()

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        sock = self._transport.get_extra_info("socket")
        if self._transport.is_closing() or sock is None or _TCP_INFO is None:
            return
        if sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 1)[0] in _OPEN_THERE:
            self._look_later()
        else:
            self._transport.abort()
