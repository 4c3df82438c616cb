"""A tunnel whose messages pass a chain: what follows a 101 while a WebSocket fault is at work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chaosproxy.events import OTHER, RAW, End, Frame, Head, Travelling
from chaosproxy.proxy.edges import Pipe
from chaosproxy.proxy.surroundings import Surroundings
from chaosproxy.proxy.timed_chain import TimedChain
from chaosproxy.proxy.timers import Timer
from chaosproxy.wire.websocket import WebSocketSplitter


class MessageTunnel:
    """Carries the client's bytes as they come, and the upstream's through ``chain``, one WebSocket frame each.

    When a fault ends the conversation, the client's close frame still reaches the upstream, which then closes the
    connection, as servers do; if it does not, we do, after Limits.drain_s or drain_bytes. ``on_end`` gets the bytes
    that came from the upstream and those that went to the client; ``failed`` what a fault raises.
    """

    def __init__(
        self,
        chain: TimedChain,
        around: Surroundings,
        pipes: tuple[Pipe, Pipe],
        began_at: float,
        *,
        on_end: Callable[[int, int], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._chain = chain
        self._around = around
        self._client, self._upstream = pipes
        self._began_at = began_at
        self._on_end = on_end
        self._failed = failed
        self._splitter = WebSocketSplitter(around.limits.unread_bytes)
        self._timer: Timer | None = None
        self._received_bytes = 0
        self._sent_bytes = 0
        self._drained_bytes = 0
        self._client_full = False
        self._ended = False  # at the client
        self._upstream_gone = False
        self._over = False

    def start(self, head: Head) -> None:
        """Begin, with the head that the client has got already."""
        self._chain.redirect(self._let_out, self._balance)
        self._push([head])
        self._client.start(self._from_client, self._client_drained, self.close)
        self._upstream.start(self._from_upstream, self._client.resume, self._upstream_lost)

    def close(self) -> None:
        """End both sides after what was written."""
        if self._over:
            return
        self._over = self._ended = True
        self._chain.drop()
        if self._timer is not None:
            self._timer.cancel()
        self._client.close()
        self._upstream.close()
        self._on_end(self._received_bytes, self._sent_bytes)

    def _from_client(self, data: bytes) -> None:
        if not self._upstream.write(data):
            self._client.pause()

    def _from_upstream(self, data: bytes) -> None:
        self._received_bytes += len(data)
        if self._ended:
            self._drained_bytes += len(data)
            if self._drained_bytes > self._around.limits.drain_bytes:
                self.close()
            return
        at = self._now()
        self._push([Frame(at, piece.data, OTHER if piece.begins else RAW) for piece in self._splitter.feed(data)])

    def _upstream_lost(self) -> None:
        self._upstream_gone = True
        if self._ended:
            self.close()
            return
        at, rest = self._now(), self._splitter.flush()
        self._push([Frame(at, rest), End(at)] if rest else [End(at)])

    def _push(self, events: Sequence[Travelling]) -> None:
        try:
            self._chain.push(events, self._now())
        except Exception as error:  # noqa: BLE001 - whatever it is, the other exchanges go on
            self._failed(error)

    def _let_out(self, event: Travelling, at: float) -> None:
        del at
        if isinstance(event, Frame):
            self._sent_bytes += len(event.data)
            if not self._client.write(event.data):
                self._client_full = True
                self._balance()
        elif not isinstance(event, Head):
            self._end()

    def _end(self) -> None:
        if self._upstream_gone:
            self.close()
            return
        self._ended = True
        self._chain.drop()
        self._balance()
        self._timer = self._around.timers.call_at(self._around.clock() + self._around.limits.drain_s, self.close)

    def _client_drained(self) -> None:
        self._client_full = False
        self._balance()

    def _balance(self) -> None:
        if not self._ended and (self._client_full or self._chain.full):
            self._upstream.pause()
        else:
            self._upstream.resume()

    def _now(self) -> float:
        return self._around.clock() - self._began_at
