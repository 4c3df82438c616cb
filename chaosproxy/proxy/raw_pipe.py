"""Raw bytes over a connection that aiohttp made and that has left HTTP behind: what both ends of a tunnel share."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp.base_protocol import BaseProtocol


class RawPipe:
    """Reads and writes below aiohttp, which takes it for the parser of a WebSocket."""

    def __init__(self, protocol: BaseProtocol) -> None:
        self._protocol = protocol
        self._on_data: Callable[[bytes], None] | None = None

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """From aiohttp."""
        if self._on_data is not None:
            self._on_data(data)
        return False, b""

    def feed_eof(self) -> None:
        """From aiohttp; the end of the connection follows."""

    def write(self, data: bytes) -> bool:
        """Send; False when the other side reads too slowly."""
        if self._protocol.transport is not None:
            self._protocol.transport.write(data)
        return not self._protocol.writing_paused

    async def drained(self) -> None:
        """Wait until it reads again."""
        if self._protocol.transport is not None:
            await self._protocol._drain_helper()  # noqa: SLF001 - what aiohttp's own writer awaits

    def pause(self) -> None:
        """Stop reading."""
        self._protocol.pause_reading()

    def resume(self) -> None:
        """Read again."""
        self._protocol.resume_reading()
