"""The way back to a client, written to its transport byte by byte.

A web framework's response object cannot end a body wrongly, and every wrong end is what this project is for:

    end()               0 CRLF CRLF, or the last byte of the length, or FIN where the body has neither
    abort(Cut.FIN)      FIN without the last chunk
    abort(Cut.RESET)    RST (SO_LINGER 0)

Over TLS the first is a close_notify and then FIN, and the others have none.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from chaosproxy.events import Cut, Framing, Head, Headers
from chaosproxy.proxy.edges import AnswerHead, WireOwner
from chaosproxy.proxy.secure_transport import Tearable

if TYPE_CHECKING:
    from chaosproxy.proxy.account import Account
    from chaosproxy.proxy.connection import Connection
    from chaosproxy.proxy.raw_pipe import RawPipe

_LINGER_0 = struct.pack("ii", 1, 0)
_CHUNKED = Framing.CHUNKED  # looked up for each event
_LAST_CHUNK = b"0\r\n\r\n"


def reset(transport: asyncio.Transport) -> None:
    """Close with an RST. What the kernel has not sent yet is lost, as it is when a real peer crashes."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
    transport.abort()


def head_bytes(status: int, reason: str, headers: Headers) -> bytes:
    """Status line and fields, in the bytes in which they came."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return f"HTTP/1.1 {status} {reason}\r\n{fields}\r\n".encode("utf-8", "surrogateescape")


def reason_phrase(status: int) -> str:
    """The usual words of a status code."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


class HttpWire:
    """Writes one answer. Its connection is told when the client's side of the exchange is over.

    Made while the connection is open; ``began``: something was sent.
    """

    __slots__ = (
        "_connection",
        "_framing",
        "_head_only",
        "_http_1_0",
        "_keep_alive",
        "_left",
        "_over",
        "_owner",
        "_reset_timer",
        "_transport",
        "_unsent_head",
        "account",
        "began",
        "full",
    )

    def __init__(self, connection: Connection, *, http_1_0: bool, keep_alive: bool, head_only: bool) -> None:
        self._connection = connection
        self._transport = cast(asyncio.Transport, connection.transport)
        self._http_1_0 = http_1_0
        self._keep_alive = keep_alive
        self._head_only = head_only
        self._framing = Framing.EMPTY
        self._left: int | None = None  # bytes of the declared length that are still to come
        self._owner: WireOwner | None = None
        self._over = False
        self._unsent_head = b""  # until its body comes, or this turn of the loop ends
        self._reset_timer: asyncio.TimerHandle | None = None  # while a reset waits for what was sent before it
        self.account: Account | None = None
        """Of the exchange that it answers."""
        self.began = False
        self.full = False
        connection.wire = self

    @property
    def connection(self) -> Connection:
        """Whose answer it writes."""
        return self._connection

    @property
    def fin_is_an_end(self) -> bool:
        """Whether this client takes a FIN for the regular end of the answer."""
        return self._framing is Framing.CLOSE and not isinstance(self._transport, Tearable)

    def reroute(self, transport: asyncio.Transport) -> None:
        """From the connection: write to another transport from now on."""
        self._transport = transport
        if self._owner is not None:
            self._owner.wire_rerouted()

    def own(self, owner: WireOwner) -> None:
        self._owner = owner
        if self._connection.transport is None:
            self.lost()

    def head(self, head: Head) -> None:
        self.began = True
        framing, length = head.framing, head.length
        if self._head_only:
            framing, length = Framing.EMPTY, None
        elif (framing is Framing.CHUNKED and self._http_1_0) or (framing is Framing.LENGTH and length is None):
            framing = Framing.CLOSE
        self._framing, self._left = framing, length
        self._keep_alive = self._keep_alive and framing is not Framing.CLOSE and not self._connection.closing
        headers = head.headers
        if framing is Framing.CHUNKED:
            headers += (("Transfer-Encoding", "chunked"),)
        if not self._keep_alive:
            headers += (("Connection", "close"),)
        elif self._http_1_0:
            headers += (("Connection", "keep-alive"),)
        written = head_bytes(head.status, head.reason or reason_phrase(head.status), headers)
        if framing is Framing.LENGTH:  # its body is mostly at hand, and then one packet is enough for both
            self._unsent_head = written
            asyncio.get_running_loop().call_soon(self._send_head)
        else:
            self._transport.write(written)

    def data(self, data: bytes) -> None:
        framing = self._framing
        if framing is _CHUNKED and data:
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        elif framing is not Framing.EMPTY and data:
            if self._left is not None:
                self._left -= len(data)
            if self._unsent_head:
                data, self._unsent_head = self._unsent_head + data, b""
            self._transport.write(data)

    def unframed(self, data: bytes) -> None:
        self._send_head()
        self.began, self._keep_alive = True, False  # the client may take it for anything
        self._transport.write(data)

    def chunk_writer(self) -> Callable[[bytes], None] | None:
        if self._framing is not Framing.CHUNKED or self._connection.poisoned is not None:
            return None
        return self._transport.write

    def end(self) -> None:
        self._send_head()
        if self._framing is Framing.CHUNKED:
            self._transport.write(_LAST_CHUNK)
        elif self._left:  # more or less than announced: the connection cannot carry another answer
            self._keep_alive = False
        if not self._keep_alive:
            self._send_fin()
        self._close(keep_alive=self._keep_alive)

    def abort(self, how: Cut) -> None:
        self._send_head()
        if how is Cut.FIN and isinstance(self._transport, Tearable):
            self._transport.tear()
        elif how is Cut.FIN:
            self._send_fin()
        elif self._transport.get_write_buffer_size():
            self._reset_timer = asyncio.get_running_loop().call_later(self._connection.limits.reset_s, self._reset)
            self._transport.set_write_buffer_limits(0)
            return
        else:
            reset(self._transport)
        self._close(keep_alive=False)

    def upgrade(self, head: AnswerHead) -> RawPipe:
        """Send the 101; the connection carries bytes until the pipe is closed."""
        self._transport.write(head_bytes(head.status, head.reason, head.headers))
        self._owner = None
        return self._connection.become_pipe(lambda: self._close(keep_alive=False))

    def filled(self) -> None:
        """From the connection: its buffer is above the limit."""
        self.full = True
        if self._owner is not None:
            self._owner.wire_filled()

    def drained(self) -> None:
        """From the connection: its buffer is low again."""
        self.full = False
        if self._reset_timer is not None:
            self._reset()
        elif self._owner is not None:
            self._owner.wire_drained()

    def lost(self) -> None:
        """From the connection: it is gone."""
        owner, over = self._owner, self._over
        self._close(keep_alive=False)
        if owner is not None and not over:
            owner.client_gone()

    def _send_head(self) -> None:
        if self._unsent_head:
            written, self._unsent_head = self._unsent_head, b""
            self._transport.write(written)

    def _reset(self) -> None:
        reset(self._transport)
        self._close(keep_alive=False)

    def _send_fin(self) -> None:
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def _close(self, *, keep_alive: bool) -> None:
        if self._over:
            return
        self._over, self._owner = True, None
        if self._reset_timer is not None:
            self._reset_timer.cancel()
        self._connection.answered(keep_alive=keep_alive)
