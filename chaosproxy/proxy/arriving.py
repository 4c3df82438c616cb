"""A request on its way in: what the parser found of it, and its body while it comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from aiohttp.http_writer import HttpVersion, HttpVersion11
from aiohttp.streams import StreamReader

from chaosproxy.proxy.edges import BodySink


class Message(Protocol):
    """A request's head, as the parser gives it: a compiled one gives no RawRequestMessage, whatever its types say."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def version(self) -> HttpVersion: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]: ...
    @property
    def should_close(self) -> bool: ...
    @property
    def chunked(self) -> bool: ...


class Arriving:
    """A request whose body may still be coming: a BodySource for what comes after ``take``.

    ``opens_connection``: it is the first on its connection.

    ``began_at`` is when its head had come. ``wanted`` says whether the connection should be read for it; ``balance`` is
    called when that changes.
    """

    __slots__ = (
        "_asked_for",
        "_balance",
        "_payload",
        "_pieces",
        "_sink",
        "began_at",
        "complete",
        "message",
        "opens_connection",
        "size_bytes",
        "wanted",
    )

    def __init__(
        self,
        message: Message,
        payload: StreamReader,
        began_at: float,
        balance: Callable[[], None],
        *,
        opens_connection: bool = True,
    ) -> None:
        self.message = message
        self.began_at = began_at
        self.opens_connection = opens_connection
        self.size_bytes = 0
        self.wanted = True
        self._asked_for = False
        self._payload = payload
        self._balance = balance
        self._pieces: list[bytes] = []
        self._sink: BodySink | None = None
        self.complete = payload.at_eof()  # of an empty body
        if not self.complete:
            self.advance()

    def advance(self) -> None:
        """Take over what the parser has read of the body since."""
        payload = self._payload
        data = payload.read_nowait()
        self.complete = payload.at_eof()
        if self._sink is not None:
            self._push(self._sink, data)
        elif data:
            self._pieces.append(data)
            self.size_bytes += len(data)

    def ask_for(self) -> bool:
        """Whether the client waits to be asked for its body (RFC 9110, 10.1.1), which is so but once."""
        if self._asked_for or self.size_bytes or self.message.version < HttpVersion11:
            return False
        self._asked_for = True
        return self.message.headers.get("Expect", "").lower() == "100-continue"

    def take(self) -> bytes:
        """What has come of the body. The rest waits for ``start``."""
        self.wanted = False
        return self._held()

    def discard(self) -> None:
        """Nobody wants the rest: it is read, and forgotten."""
        self.start(_Nobody())

    def lose(self) -> None:
        """The client left before the end."""
        sink, self._sink = self._sink, None
        if sink is not None and not self.complete:
            sink.body_lost()

    def start(self, sink: BodySink) -> None:
        self._sink = sink
        self._push(sink, self._held())
        self.resume()

    def pause(self) -> None:
        self.wanted = False
        self._balance()

    def resume(self) -> None:
        self.wanted = True
        self._balance()

    def _push(self, sink: BodySink, data: bytes) -> None:
        if data:
            sink.body_data(data)
        if self.complete:
            self._sink = None  # it knows us, and holds what came first: both go at once, without the garbage collector
            sink.body_end()

    def _held(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Nobody:
    """Takes a body and does nothing with it."""

    def body_data(self, data: bytes) -> None:
        pass

    def body_end(self) -> None:
        pass

    def body_lost(self) -> None:
        pass
