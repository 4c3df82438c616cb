"""Client connections: aiohttp's strict request parser in front, our own callbacks behind it.

    data -> parser -> Arriving, Arriving, ... -> receive, one at a time -> HttpWire -> answered -> the next one

A request is received when its body is complete or larger than Limits.body_bytes. No task is made for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from aiohttp.http_writer import HttpVersion11

from chaosproxy.proxy.arriving import Arriving
from chaosproxy.proxy.client_wire import HttpWire
from chaosproxy.proxy.departure import DepartureWatch
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.malformed import BAD_REQUEST, refusal, words_of
from chaosproxy.proxy.own_answer import own_answer
from chaosproxy.proxy.plain_traceback import plain_traceback
from chaosproxy.proxy.raw_pipe import RawPipe
from chaosproxy.proxy.refusals import INTERNAL
from chaosproxy.proxy.tcp.poisoned import Poisoned
from chaosproxy.proxy.untaken import UntakenWatch
from chaosproxy.proxy.witness import HttpWitness

log = structlog.get_logger()

Receive = Callable[[Arriving, HttpWire], None]
"""Is given each request when its turn has come, and the way back to its client."""
Refused = Callable[[str], None]
"""Is told of each request that we answer with an error of our own, and its kind."""

_WAITING_MAX = 16
"""Pipelined requests that may wait for the one before; with more, the connection is read no further."""
_PARSER_BUFFER_BYTES = 2**30
"""The parser's own back-pressure is not used: what it read is taken from it at once."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _ReadOn:
    """What the parser's bodies take for their connection, to pause it: they never have to."""

    _reading_paused = False
    connected = True

    def pause_reading(self) -> None:
        """From a body that is full."""

    def resume_reading(self, *, resume_parser: bool = True) -> None:
        """From a body that was read, or is complete."""


class Connection(asyncio.Protocol):
    """One client connection. ``gone`` is called when it has ended; ``clock`` is the proxy's.

    ``number`` counts the connections of the listener, from 1. ``poisoned`` and ``witness`` are there while toxics are.
    """

    __slots__ = (
        "_arriving",
        "_body_since",
        "_clock",
        "_current",
        "_deaf",
        "_departure",
        "_gone",
        "_head_since",
        "_idle_since",
        "_loop",
        "_malformed",
        "_parser",
        "_pipe",
        "_receive",
        "_refused",
        "_tail",
        "_timer",
        "_untaken",
        "_used",
        "_waiting",
        "busy",
        "closing",
        "limits",
        "number",
        "poisoned",
        "transport",
        "wire",
        "witness",
    )

    def __init__(
        self,
        receive: Receive,
        limits: Limits,
        refused: Refused,
        clock: Callable[[], float],
        gone: Callable[[Connection], None],
        number: int = 1,
    ) -> None:
        self.limits = limits
        self.transport: asyncio.Transport | None = None
        self.wire: HttpWire | None = None
        self.busy = False
        self.closing = False
        self.number = number
        self.poisoned: Poisoned | None = None
        self.witness: HttpWitness | None = None
        self._receive = receive
        self._refused = refused
        self._clock = clock
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._parser: Any = HttpRequestParser(
            cast(Any, _ReadOn()),
            self._loop,
            _PARSER_BUFFER_BYTES,
            max_line_size=limits.header_bytes,
            max_headers=limits.header_fields,
            max_field_size=limits.header_bytes,
            auto_decompress=False,
        )
        self._waiting: deque[Arriving] = deque()
        self._arriving: Arriving | None = None  # the one whose body is coming
        self._current: Arriving | None = None  # the one that is being answered
        self._used = False  # by a request
        self._malformed: str | None = None  # what came behind the last request
        self._deaf = False  # what comes is not HTTP any more
        self._tail = b""
        self._pipe: RawPipe | None = None  # once it is no HTTP any more
        self._departure: DepartureWatch | None = None  # while the client is not read
        self._idle_since = self._loop.time()
        self._head_since: float | None = None  # when the first bytes of a head came that is not complete
        self._body_since = 0.0  # when the head had come of the one whose body is coming
        self._timer: asyncio.TimerHandle | None = None
        self._untaken: UntakenWatch | None = None  # while its client takes nothing

    # what the transport tells it -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(self.limits.unsent_bytes)
        self._timer = self._loop.call_later(self.limits.keepalive_s, self._check_silence)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._keep_tail(data)
            return
        try:
            messages, upgraded, tail = self._parser.feed_data(data)
        except HttpProcessingError as error:
            self._give_up(words_of(error, self.limits))
            return
        of_a_head = self._arriving is None
        if self._arriving is not None:
            self._go_on(self._arriving)
        for message, payload in messages:
            request = Arriving(message, payload, self._clock(), self._balance, opens_connection=not self._used)
            self._used = True
            self._waiting.append(request)
            if not request.complete:
                self._arriving = request
                self._idle_since = self._body_since = self._loop.time()
                self._check_after(min(self.limits.idle_s, self.limits.body_s))
        if upgraded:
            self._deaf = True
            self._keep_tail(tail)
        if messages:
            self._head_since = None
        elif of_a_head and self._head_since is None and not self.busy and data.strip():
            self._await_head()
        self._advance()

    def pause_writing(self) -> None:
        self._watch_untaken()
        if self.wire is not None:
            self.wire.filled()

    def resume_writing(self) -> None:
        self._all_taken()
        if self.wire is not None:
            self.wire.drained()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._all_taken()
        self._stop_watching()
        self._waiting.clear()
        arriving, self._arriving = self._arriving, None
        if arriving is not None:
            arriving.lose()
        if self.wire is not None:
            self.wire.lost()
        self._gone(self)

    # what others tell it ---------------------------------------------------------------------------------------------

    def close_when_idle(self) -> None:
        """Close now, or after the exchange that is under way."""
        self.closing = True
        if not self.busy:
            self._close()

    @property
    def full(self) -> bool:
        """Whether its transport has asked it to write no more for now."""
        if self._pipe is not None:
            return self._pipe.full
        return self.wire is not None and self.wire.full

    @property
    def reading(self) -> bool:
        """Whether it has not asked its transport to read no more for now."""
        return not self._paused if self._pipe is None else self._pipe.reading

    def abandon(self) -> None:
        """Its client takes nothing any more."""
        self._refused("answer_not_taken")
        if self.transport is not None:
            self.transport.abort()

    def reroute(self, transport: asyncio.Transport) -> None:
        """Write to another transport from now on: toxics come between, or go."""
        self.transport = transport
        if self.poisoned is None:
            self.witness = None
        if self._pipe is not None:
            self._pipe.reroute(transport)
        elif self.wire is not None:
            self.wire.reroute(transport)

    def answered(self, *, keep_alive: bool) -> None:
        """From the wire: the client's side of the exchange is over."""
        if self.witness is not None:
            self.witness.answered()
        request, self._current = self._current, None
        self.wire, self.busy = None, False
        if self.transport is None:
            return
        if request is not None and not request.complete:
            self._linger(request, keep_alive=keep_alive)
        elif self.closing or not keep_alive:
            self._leave()
        elif self._waiting or self._malformed is not None:
            self._loop.call_soon(self._advance)
        else:
            self._idle_since = self._loop.time()

    def become_pipe(self, on_closed: Callable[[], None]) -> RawPipe:
        """Give up HTTP: the connection carries bytes from here on."""
        self._stop_watching()
        tail, self._tail = self._tail, b""

        def closed() -> None:
            on_closed()
            self.connection_lost(None)

        self._pipe = RawPipe(cast(asyncio.Transport, self.transport), tail, closed)
        return self._pipe

    # inside ----------------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Begin with the next request, if its turn has come."""
        while self._waiting and not self.busy and self.transport is not None:
            request = self._waiting[0]
            if not request.complete and request.size_bytes <= self.limits.body_bytes:
                if request.ask_for():
                    self.transport.write(_CONTINUE)
                break
            self._waiting.popleft()
            self._begin(request)
        if self._malformed is not None and not self._waiting and not self.busy:
            self._refuse(400, BAD_REQUEST, self._malformed)
        self._balance()

    def _begin(self, request: Arriving) -> None:
        self.busy, self._current = True, request
        message = request.message
        last = self._deaf and not self._waiting and self._malformed is None
        keep_alive = not message.should_close and not last
        wire = HttpWire(
            self, http_1_0=message.version < HttpVersion11, keep_alive=keep_alive, head_only=message.method == "HEAD"
        )
        try:
            if (refused := refusal(message)) is not None:
                self._refuse(*refused)
            else:
                self._receive(request, wire)
        except Exception as error:  # noqa: BLE001 - a bug of ours ends one exchange, not the process
            self._answer_bug(error, wire)

    def _answer_bug(self, error: Exception, wire: HttpWire) -> None:
        log.error("exchange_failed", stack=plain_traceback(error))
        if self.wire is wire and not wire.began:
            self._refuse(500, INTERNAL, "the request could not be handled")
        else:
            self._refused(INTERNAL)
            if self.transport is not None:
                self.transport.abort()

    def _refuse(self, status: int, kind: str, words: str) -> None:
        """Answer with an error of our own, as the last answer of this connection."""
        self._malformed, self._deaf = None, True
        self._waiting.clear()
        self._refused(kind)
        if self.transport is None:
            return
        self.busy = True
        head, body, _ = own_answer(status, kind, words, 0.0)
        wire = HttpWire(self, http_1_0=False, keep_alive=False, head_only=False)
        wire.head(head)
        wire.data(body.data)
        wire.end()

    def _give_up(self, words: str) -> None:
        """What came is not HTTP: say so when it is its turn, and read no further."""
        self._deaf = True
        arriving, self._arriving = self._arriving, None
        if arriving is not None and arriving not in self._waiting:  # an exchange is under way that waits for its body
            arriving.lose()
            if self.transport is not None and self.busy:
                self.transport.abort()
            elif self.transport is not None:
                self._leave()
            return
        if arriving is not None:
            self._waiting.remove(arriving)
        self._malformed = words
        self._advance()

    def _await_head(self) -> None:
        self._head_since = self._loop.time()
        self._check_after(self.limits.head_s)

    def _check_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._check_silence)

    def _go_on(self, arriving: Arriving) -> None:
        self._idle_since = self._loop.time()
        arriving.advance()
        if not arriving.complete:
            return
        self._arriving = None
        if self.closing and not self.busy and not self._waiting:
            self._close()  # its answer was there first

    def _check_silence(self) -> None:
        """The one timer of a connection: of a client that is idle, slow in a head or silent in a body."""
        if self.transport is None:
            return
        since, limit_s, missing = self._idle_since, self.limits.keepalive_s, None
        if self._arriving is not None:
            missing = "body"
            since, limit_s = self._body_limit(self._arriving)
        elif self._head_since is not None:
            since, limit_s, missing = self._head_since, self.limits.head_s, "head"
        left_s = since + limit_s - self._loop.time()
        if left_s > 0 or self._paused or (self.busy and self._arriving is not self._current):
            self._check_after(left_s if left_s > 0 else limit_s)
        elif missing is None or (self._arriving is not None and self._arriving not in self._waiting):
            self._close()
        else:
            self._arriving = None
            self._refuse(408, "request_timeout", f"the request {missing} did not arrive in time")

    def _body_limit(self, arriving: Arriving) -> tuple[float, float]:
        """Since when, and for how long, the rest of a body may be awaited."""
        silent = self._idle_since, self.limits.idle_s
        if arriving not in self._waiting:  # the upstream is asked: what comes goes on at once
            return silent
        if self._body_since + self.limits.body_s < self._idle_since + self.limits.idle_s:
            return self._body_since, self.limits.body_s
        return silent

    def _linger(self, request: Arriving, *, keep_alive: bool) -> None:
        """The answer is there before its request is: read on for a while, or an RST would destroy the answer."""
        self.closing = self.closing or not keep_alive
        self._waiting.clear()
        request.discard()
        self._loop.call_later(self.limits.linger_s, self._end_lingering, request)

    def _leave(self) -> None:
        """Close; of one that is no HTTP any more, wait for its FIN: an RST for what still comes destroys the answer."""
        if self.transport is None or self.transport.is_closing():
            return
        if self._deaf:
            self.transport.write_eof()
            self._loop.call_later(self.limits.linger_s, self._close)
        else:
            self._close()

    def _end_lingering(self, request: Arriving) -> None:
        if not request.complete:
            self._close()

    def _close(self) -> None:
        """Close when everything has left, for which a client that takes nothing has not for ever."""
        if self.transport is not None:
            self.transport.close()
            self._watch_untaken()

    def _keep_tail(self, data: bytes) -> None:
        self._tail += data
        self._balance()

    def _balance(self) -> None:
        """Read on as long as there is room for what comes."""
        arriving = self._arriving
        full = len(self._waiting) > _WAITING_MAX or len(self._tail) > self.limits.unread_bytes
        paused = full or (arriving is not None and not arriving.wanted)
        if paused is self._paused or self.transport is None or self.transport.is_closing():
            return
        if paused:
            self.transport.pause_reading()
            self._departure = DepartureWatch(self.transport)
        else:
            self.transport.resume_reading()
            self._idle_since = self._body_since = self._loop.time()
            self._stop_watching()

    def _watch_untaken(self) -> None:
        if self._untaken is None:
            self._untaken = UntakenWatch(self, self.limits.idle_s)
        self._untaken.start()

    def _all_taken(self) -> None:
        watch, self._untaken = self._untaken, None  # it refers back here
        if watch is not None:
            watch.stop()

    def _stop_watching(self) -> None:
        if self._departure is not None:
            self._departure.stop()
            self._departure = None

    @property
    def _paused(self) -> bool:
        return self._departure is not None
