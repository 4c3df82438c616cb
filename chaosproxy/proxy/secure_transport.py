"""What a connection behind TLS writes to: a transport whose ends can be as wrong as those of a plain one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from chaosproxy.proxy.tls import TlsLayer


class Tearable(asyncio.Transport):
    """One that can end as if somebody had pulled the plug: a FIN, and none of the words that belong before it."""

    def tear(self) -> None:
        """FIN after what was written, and nothing else."""
        raise NotImplementedError


class SecureTransport(Tearable):
    """What a connection writes to: plain text in, records out. ``raw`` is the transport below."""

    def __init__(self, layer: TlsLayer, raw: asyncio.Transport) -> None:
        super().__init__()
        self._layer = layer
        self._raw = raw

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """That of the socket below, and ``ssl_object``."""
        return self._layer.ssl_object if name == "ssl_object" else self._raw.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who is told."""
        return self._layer.inner

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who is told from now on."""
        self._layer.inner = cast(asyncio.Protocol, protocol)

    def is_closing(self) -> bool:
        """Whether its end was asked for, or has come."""
        return self._layer.closing

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send."""
        self._layer.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        """Send all of them."""
        self._layer.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """It can, unlike the event loops' own TLS."""
        return True

    def write_eof(self) -> None:
        """close_notify and FIN."""
        self._layer.finish(cleanly=True)

    def tear(self) -> None:
        """FIN without close_notify."""
        self._layer.finish(cleanly=False)

    def close(self) -> None:
        """close_notify, FIN, and away."""
        self._layer.close()

    def abort(self) -> None:
        """Away at once, without close_notify."""
        self._layer.abort()

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._layer.pause()

    def resume_reading(self) -> None:
        """Read again."""
        self._layer.resume()

    def is_reading(self) -> bool:
        """Whether it reads."""
        return self._raw.is_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Of the records that wait."""
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Bytes of records that wait."""
        return self._raw.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Low and high."""
        return self._raw.get_write_buffer_limits()
