"""The inner side of a connection with toxics: the transport that its protocol sees, and the two ends of its links."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from chaosproxy.proxy.secure_transport import Tearable

if TYPE_CHECKING:
    from chaosproxy.proxy.tcp.poisoned import Poisoned


class Door:
    """Where the upstream link ends: the inner protocol, while that wants to read."""

    def __init__(self, poisoned: Poisoned) -> None:
        self._poisoned: Poisoned | None = poisoned  # until the connection is over
        self._waiting: deque[bytes] = deque()
        self._ended = False
        self.shut = False

    @property
    def waits(self) -> bool:
        """Whether anything waits before it."""
        return bool(self._waiting) or self._ended

    def write(self, data: bytes) -> None:
        """Bytes of the client's."""
        if self.shut or self._waiting:
            self._waiting.append(data)
        elif self._poisoned is not None:
            self._poisoned.inner.data_received(data)

    def end(self) -> None:
        """The client's FIN."""
        self._ended = True
        if not self.shut:
            self.open()

    def forget(self) -> None:
        """The connection is over: nothing is let in any more."""
        self._waiting.clear()
        self._poisoned = None  # it refers back here

    def open(self) -> None:
        """Let in what waits, until it is shut again."""
        self.shut = False
        while self._waiting and not self.shut and self._poisoned is not None:
            self._poisoned.inner.data_received(self._waiting.popleft())
        if self._ended and not self._waiting and not self.shut and (poisoned := self._poisoned) is not None:
            self._ended = False
            if not poisoned.inner.eof_received():
                poisoned.close()


class Outlet:
    """Where the downstream link ends, and for it also where its bytes come from."""

    def __init__(self, poisoned: Poisoned) -> None:
        self._poisoned: Poisoned | None = poisoned  # until the connection is over
        self.full = False
        """Whether the socket takes no more."""
        self.eager = False
        """Whether the inner protocol waits for everything to be sent."""

    def write(self, data: bytes) -> None:
        """Bytes for the client."""
        if self._poisoned is not None:
            self._poisoned.out(data)

    def forget(self) -> None:
        """The connection is over: nothing goes out any more."""
        self._poisoned = None  # it refers back here

    def settle(self) -> None:
        """Say whether the inner protocol is to write on."""
        if (poisoned := self._poisoned) is not None:
            poisoned.sink_full(full=self.full or (self.eager and poisoned.held_bytes > 0))

    def is_closing(self) -> bool:
        """As a transport would say."""
        return self._poisoned is None

    def pause_reading(self) -> None:
        """Too much is held back."""
        if self._poisoned is not None:
            self._poisoned.inner.pause_writing()

    def resume_reading(self) -> None:
        """There is room again."""
        if self._poisoned is not None:
            self._poisoned.inner.resume_writing()


class Face(Tearable):
    """The transport that the inner protocol sees."""

    def __init__(self, poisoned: Poisoned) -> None:
        super().__init__()
        self._poisoned = poisoned

    def write(self, data: Any) -> None:
        self._poisoned.write(data)

    def write_eof(self) -> None:
        self._poisoned.write_eof()

    def can_write_eof(self) -> bool:
        return self._poisoned.has_fin

    def tear(self) -> None:
        self._poisoned.tear()

    def close(self) -> None:
        self._poisoned.close()

    def abort(self) -> None:
        self._poisoned.abort()

    def is_closing(self) -> bool:
        return self._poisoned.closing

    def pause_reading(self) -> None:
        self._poisoned.read(wanted=False)

    def resume_reading(self) -> None:
        self._poisoned.read(wanted=True)

    def is_reading(self) -> bool:
        return self._poisoned.reading

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._poisoned.limit(high)

    def get_write_buffer_size(self) -> int:
        return self._poisoned.unsent_bytes

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._poisoned.socket_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._poisoned.inner = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._poisoned.inner
