"""One connection to an upstream: a request goes out, and the answer goes to whoever asked, piece by piece."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from chaosproxy.events import Framing
from chaosproxy.proxy.edges import Receiver
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.raw_pipe import RawPipe
from chaosproxy.wire.http1 import BodyReader, Broken, ResponseHead, body_reader, head_end, read_head


class Asker(Protocol):
    """Who sent the request that a connection is about. It may let the connection go (``drop``) in any callback."""

    method: str
    receiver: Receiver
    """Who gets the pieces of the body."""

    @property
    def upgrades(self) -> bool:
        """Whether a 101 is what was asked for."""

    def head(self, head: ResponseHead, framing: Framing) -> None:
        """The answer begins."""

    def end(self, connection: UpstreamConnection, *, reusable: bool) -> None:
        """The body is complete, and the connection not ours any more."""

    def upgraded(self, head: ResponseHead, pipe: RawPipe) -> None:
        """The connection carries bytes now."""

    def broken(self, why: str, *, headed: bool) -> None:
        """What came is not HTTP, before or after the head; the connection is closed."""

    def lost(self, error: Exception | None, *, heard: bool, headed: bool) -> None:
        """The connection ended before the answer did, with an error or a FIN.

        ``heard``: a byte of an answer had come; ``headed``: its head.
        """

    def silent(self, silence_s: float) -> None:
        """Nothing came for so long while it was awaited; the connection is closed."""

    def filled(self) -> None:
        """The upstream does not keep up with the request's body."""

    def drained(self) -> None:
        """It does again."""


class UpstreamConnection(asyncio.Protocol):
    """Carries one request at a time."""

    __slots__ = (
        "_asker",
        "_body",
        "_head",
        "_head_bytes",
        "_limits",
        "_loop",
        "_reading",
        "_transport",
        "_unread",
        "_watch",
        "full",
        "heard_at",
        "used",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._asker: Asker | None = None
        self._head: ResponseHead | None = None
        self._body: BodyReader | None = None
        self._unread = b""  # of a head that is not complete
        self._head_bytes = 0  # of all heads that came, interim ones too
        self._reading = True
        self._watch: asyncio.TimerHandle | None = None  # outlives a request: a busy connection sets it once
        self.full = False
        """Whether the upstream does not keep up with what is written."""
        self.heard_at = 0.0
        self.used = False

    @property
    def usable(self) -> bool:
        """Whether it can carry a request."""
        return self._transport is not None and not self._transport.is_closing()

    def carry(self, asker: Asker, *pieces: bytes) -> None:
        """Send a request; its answer goes to ``asker``."""
        self._asker = asker
        self._body = None
        self._unread = b""
        self._head_bytes = 0
        for data in pieces:
            self.write(data)
        if self._watch is None:
            self._watch = self._loop.call_later(self._limits.idle_s, self._check_silence)
        if self._transport is None:  # lost since it was opened
            self._loop.call_soon(self.connection_lost, None)

    def write(self, data: bytes) -> None:
        """Send more of it."""
        self.heard_at = self._loop.time()  # the silence of an upstream counts from our last word
        if self._transport is not None:
            self._transport.write(data)

    def pause(self) -> None:
        """Read no more for now."""
        self._reading = False
        if self.usable:
            cast(asyncio.Transport, self._transport).pause_reading()

    def resume(self) -> None:
        """Read again."""
        self._reading = True
        self.heard_at = self._loop.time()
        if self.usable:
            cast(asyncio.Transport, self._transport).resume_reading()

    def drop(self) -> None:
        """Hang up at once; nobody is called back any more."""
        self._asker = None
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End an idle connection."""
        if self._transport is not None:
            self._transport.close()

    # what the transport tells it -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        body, asker = self._body, self._asker
        if asker is None:
            self.drop()  # nothing was asked
        elif body is None:
            self._head_bytes += len(data)
            self._read_head(asker, self._unread + data)
        elif (chunks := asker.receiver.chunks) is not None and (piece := body.whole(data)) is not None:
            chunks.chunk(data, piece)
        else:
            for piece in body.feed(data):
                asker.receiver.upstream_data(piece)
                if self._asker is not asker:
                    return
            if body.complete:
                self._complete(asker, body)
            elif body.flaw is not None:
                self._break(asker, body.flaw)

    def pause_writing(self) -> None:
        self.full = True
        if self._asker is not None:
            self._asker.filled()

    def resume_writing(self) -> None:
        self.full = False
        if self._asker is not None:
            self._asker.drained()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._unwatch()
        asker, self._asker = self._asker, None
        if asker is None:
            return
        body = self._body
        if body is not None and exc is None and body.end():
            asker.end(self, reusable=False)
        else:
            headed = body is not None
            asker.lost(exc, heard=headed or bool(self._unread), headed=headed)

    # inside ----------------------------------------------------------------------------------------------------------

    def _read_head(self, asker: Asker, data: bytes) -> None:
        try:
            while end := head_end(data, self._limits.header_bytes):
                head, data = read_head(data[:end]), data[end:]
                if head.status == 101:
                    self._upgrade(asker, head, data)
                    return
                if head.status >= 200:
                    self._begin_body(asker, head, data)
                    return
        except Broken as error:
            self._break(asker, str(error))
            return
        self._unread = data
        if self._head_bytes > self._limits.header_bytes:
            self._break(asker, "the interim responses have no end")

    def _begin_body(self, asker: Asker, head: ResponseHead, data: bytes) -> None:
        framing = head.framing(asker.method)
        self._head = head
        self._body = body = body_reader(framing, head)
        asker.head(head, framing)
        if self._asker is not asker:
            return
        if body.complete:
            body.surplus = data
            self._complete(asker, body)
        elif data:
            self.data_received(data)

    def _complete(self, asker: Asker, body: BodyReader) -> None:
        self._asker, self.used = None, True
        kept_alive = self._head is not None and self._head.keeps_alive
        asker.end(self, reusable=kept_alive and not body.surplus and self.usable)

    def _break(self, asker: Asker, why: str) -> None:
        self.drop()
        asker.broken(why, headed=self._body is not None)

    def _upgrade(self, asker: Asker, head: ResponseHead, data: bytes) -> None:
        transport = self._transport
        if not asker.upgrades or transport is None:
            self._break(asker, "it switched protocols unasked")
            return
        self._asker = self._transport = None
        self._unwatch()
        asker.upgraded(head, RawPipe(transport, data))

    def _check_silence(self) -> None:
        self._watch, asker, limit_s = None, self._asker, self._limits.idle_s
        if asker is None:
            return
        left_s = self.heard_at + limit_s - self._loop.time() if self._reading else limit_s
        if left_s > 0:
            self._watch = self._loop.call_later(left_s, self._check_silence)
        else:
            self.drop()
            asker.silent(limit_s)

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
