"""A connection that has left HTTP behind and carries bytes: one end of a tunnel, at either edge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class RawPipe(asyncio.Protocol):
    """Takes over a transport. ``first`` is what had already come; it and all that follows waits for ``start``."""

    def __init__(self, transport: asyncio.Transport, first: bytes, on_closed: Callable[[], None] | None = None) -> None:
        self._transport = transport
        self._first = first
        self._on_closed = on_closed
        self._on_data: Callable[[bytes], None] | None = None
        self._on_drained: Callable[[], None] | None = None
        self._on_lost: Callable[[], None] | None = None
        self._full = False
        self.reading = True
        """Whether it has not asked its transport to read no more for now."""
        transport.set_protocol(self)
        self.pause()

    @property
    def full(self) -> bool:
        """Whether its transport has asked it to write no more for now."""
        return self._full

    def reroute(self, transport: asyncio.Transport) -> None:
        """Write to another transport from now on."""
        self._transport = transport

    def start(
        self, on_data: Callable[[bytes], None], on_drained: Callable[[], None], on_lost: Callable[[], None]
    ) -> None:
        self._on_data, self._on_drained, self._on_lost = on_data, on_drained, on_lost
        if self._transport.is_closing():
            asyncio.get_running_loop().call_soon(on_lost)
            return
        if self._first:
            on_data(self._first)
        self.resume()

    def write(self, data: bytes) -> bool:
        self._transport.write(data)
        return not self._full

    def pause(self) -> None:
        self.reading = False
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        self.reading = True
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        self._transport.close()

    # what the transport tells it -------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._on_data is not None:
            self._on_data(data)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._on_drained is not None:
            self._on_drained()

    def connection_lost(self, exc: Exception | None) -> None:
        on_closed, on_lost = self._on_closed, self._on_lost
        self._on_closed = self._on_data = self._on_drained = self._on_lost = None  # they refer back here
        if on_closed is not None:
            on_closed()
        if on_lost is not None:
            on_lost()
