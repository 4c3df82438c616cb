"""One client's connection and its upstream: two sides, and a link in each direction."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, cast

import structlog

from chaosproxy.events import Cut
from chaosproxy.faults.toxic.base import Direction
from chaosproxy.proxy.client_wire import reset
from chaosproxy.proxy.limits import KIB, Limits
from chaosproxy.proxy.plain_traceback import plain_traceback
from chaosproxy.proxy.tcp.link import Link
from chaosproxy.proxy.timers import Timers

log = structlog.get_logger()

_UNREAD_BYTES = 256 * KIB
"""So much that a peer had sent is thrown away before a close, as unread bytes would turn its FIN into an RST."""


class Owner(Protocol):
    """Who has the port."""

    def relay_opened(self, relay: Relay) -> None:
        """Its client is there: now toxics can act on it."""

    def relay_hit(self, relay: Relay, toxic: str, words: str) -> None:
        """A toxic took effect on one of its connections."""

    def relay_closed(self, relay: Relay) -> None:
        """Both sides are gone."""


class Side(asyncio.Protocol):
    """One socket of a relay: ``out`` takes what it sends, ``back`` gives it what it gets."""

    def __init__(self, relay: Relay, out: Link, back: Link) -> None:
        self._relay: Relay | None = relay  # until it is gone
        self._out = out
        self._back = back
        self.transport: asyncio.Transport | None = None
        self.gone = False

    @property
    def out(self) -> Link:
        """The link that carries what this side sends."""
        return self._out

    @property
    def back(self) -> Link:
        """The link that leads to this side."""
        return self._back

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self._relay is not None:
            self._relay.arrived(self, self.transport)

    def data_received(self, data: bytes) -> None:
        self._out.data(data)

    def eof_received(self) -> bool:
        """True keeps it open for what it is still to get."""
        if self._out.over:
            return False
        self._out.eof()
        return not self._is_tls

    def pause_writing(self) -> None:
        self._back.sink_full(full=True)

    def resume_writing(self) -> None:
        self._back.sink_full(full=False)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.gone = True
        relay, self._relay = self._relay, None  # which refers back here
        if relay is not None:
            relay.lost(self, exc)

    def send_eof(self) -> None:
        """FIN; TLS has no half of a close, so there it is the whole."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def close(self, how: Cut) -> None:
        """FIN after what was written, or RST in its place."""
        transport = self.transport
        if transport is None or self.gone:
            return
        if how is Cut.RESET:
            reset(transport)
        elif not transport.is_closing():
            _forget_unread(transport)
            transport.close()

    @property
    def _is_tls(self) -> bool:
        return self.transport is not None and self.transport.get_extra_info("ssl_object") is not None


class Relay:
    """Connects the upstream as soon as its client is there, and carries bytes until both directions have ended.

    Until then nothing is read from the client: what it sends waits in the kernel.
    """

    def __init__(
        self,
        owner: Owner,
        number: int,
        limits: Limits,
        *,
        clock: Callable[[], float],
        timers: Timers,
        dial: Callable[[Callable[[], Side]], Awaitable[object]],
    ) -> None:
        self._owner = owner
        self._dial = dial
        self._limits = limits
        self._dialling: asyncio.Task[None] | None = None
        self.number = number
        """Of all connections of this proxy, from 1."""
        self.opened = False
        """Whether its client has ever been there."""
        began_at_s = clock()
        self.upstream_link = Link(self, limits, clock=clock, timers=timers, began_at_s=began_at_s)
        """What the client sends."""
        self.downstream_link = Link(self, limits, clock=clock, timers=timers, began_at_s=began_at_s)
        """What the upstream sends."""
        self.client = Side(self, self.upstream_link, self.downstream_link)
        self.upstream: Side | None = None
        self._joined = False
        self._closed = False

    def link(self, direction: Direction) -> Link:
        """The one that carries it."""
        return self.upstream_link if direction is Direction.UPSTREAM else self.downstream_link

    def cut(self, how: Cut) -> None:
        """End both sides now: FIN after what was let out before, or RST."""
        self.upstream_link.stop()
        self.downstream_link.stop()
        if self._dialling is not None:
            self._dialling.cancel()
        self.client.close(how)
        if self.upstream is not None:
            self.upstream.close(how)

    def abort(self) -> None:
        """End both sides, whatever they still have to get."""
        self.cut(Cut.FIN)
        for side in (self.client, self.upstream):
            if side is not None and side.transport is not None:
                side.transport.abort()

    # what the sides say -----------------------------------------------------------------------------------------------

    def arrived(self, side: Side, transport: asyncio.Transport) -> None:
        """A side is connected."""
        _keep_alive(transport)
        transport.set_write_buffer_limits(self._limits.unsent_bytes)
        if side is not self.client:
            if side is not self.upstream:
                transport.abort()  # too late
            return
        self.opened = True
        loop = asyncio.get_running_loop()
        loop.call_soon(self._wait)  # a transport begins to read after this call, whatever it is told here
        self.downstream_link.open(None, transport)
        self._owner.relay_opened(self)
        if not transport.is_closing():
            self._dialling = loop.create_task(self._connect())
            self._dialling.add_done_callback(self._dialled)  # it may be cancelled before it begins

    def lost(self, side: Side, exc: BaseException | None) -> None:
        """A side is gone: an RST goes on as one, and what was on its way to it is lost."""
        if not side.back.over:
            side.back.stop()
        if not side.out.over:
            if exc is None:
                side.out.eof()
            else:
                side.out.reset()
        elif exc is not None:
            self.cut(Cut.RESET)
        self._finish_if_gone()

    # what the links say -----------------------------------------------------------------------------------------------

    def link_ended(self, link: Link) -> None:
        """Half of the connection has ended; with both halves it is over."""
        if self.upstream_link.over and self.downstream_link.over:
            self.cut(Cut.FIN)
            return
        sink = self.upstream if link is self.upstream_link else self.client
        if sink is not None:
            sink.send_eof()

    def link_cut(self, link: Link, how: Cut) -> None:
        self.cut(how)

    def link_hit(self, toxic: str, words: str) -> None:
        self._owner.relay_hit(self, toxic, words)

    def link_failed(self, link: Link, error: Exception) -> None:
        log.error("toxic_failed", connection=self.number, traceback=plain_traceback(error))
        self.cut(Cut.RESET)

    def unreached(self, error: OSError | UnicodeError) -> None:
        """Its upstream could not be connected; for those who want to know why."""

    # ------------------------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        client = self.client.transport
        if client is not None and not client.is_closing() and not self._joined:
            client.pause_reading()

    async def _connect(self) -> None:
        try:
            await self._dial(self._new_upstream)
        except (OSError, UnicodeError) as error:
            self.upstream = None  # of a failed handshake nobody tells it
            self.unreached(error)
            self.cut(Cut.FIN)
        self._join()

    def _dialled(self, dialling: asyncio.Task[None]) -> None:
        self._dialling = None
        if dialling.cancelled() and (upstream := self.upstream) is not None:
            self.upstream = None  # not every loop tells it that it is closed
            if upstream.transport is not None:
                upstream.transport.abort()
        self._finish_if_gone()

    def _new_upstream(self) -> Side:
        self.upstream = Side(self, self.downstream_link, self.upstream_link)
        return self.upstream

    def _join(self) -> None:
        upstream = None if self.upstream is None else self.upstream.transport
        client = self.client.transport
        if client is None or upstream is None or self.client.gone:
            return
        self._joined = True
        self.upstream_link.open(client, upstream)
        self.downstream_link.open(upstream, client)
        if not client.is_closing() and not self.upstream_link.full:
            client.resume_reading()

    def _finish_if_gone(self) -> None:
        dials = self._dialling is not None
        if not dials and self.client.gone and (self.upstream is None or self.upstream.gone):
            self._finish()

    def _finish(self) -> None:
        if not self._closed:
            self._closed = True
            self.upstream_link.close()
            self.downstream_link.close()
            self._owner.relay_closed(self)


def _keep_alive(transport: asyncio.Transport) -> None:
    """Peers that vanish without a word are noticed after a while."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _forget_unread(transport: asyncio.Transport) -> None:
    sock = transport.get_extra_info("socket")
    if sock is None:
        return
    read = 0
    with suppress(OSError):  # nothing is there, or the peer is gone
        while read < _UNREAD_BYTES and (data := os.read(sock.fileno(), 64 * KIB)):
            read += len(data)
