"""An HTTP/1.1 upstream: takes a pooled connection or dials, asks, and tells the receiver what comes."""

from __future__ import annotations

import asyncio
from functools import partial

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Framing, header
from chaosproxy.proxy.certificates import Trust
from chaosproxy.proxy.edges import AnswerHead, Asking, BodySource, Question, Receiver
from chaosproxy.proxy.headers import end_to_end, wants_upgrade
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.raw_pipe import RawPipe
from chaosproxy.proxy.target import Target
from chaosproxy.proxy.upstream.connection import UpstreamConnection
from chaosproxy.proxy.upstream.dial import Dialler
from chaosproxy.proxy.upstream.pool import Pool
from chaosproxy.wire.http1 import ResponseHead

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_HAVE_NO_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "DELETE"})
_LAST_CHUNK = b"0\r\n\r\n"
_LARGE_BYTES = 65_536


class HttpUpstream:
    """Where one listener sends its requests. Needs a running loop. Raises UserError for an unusable forward proxy."""

    def __init__(self, target: Target, trust: Trust, limits: Limits) -> None:
        self.target = target
        self.limits = limits
        self.pool = Pool(limits.pooled_s)
        self.dialler = Dialler(target, trust, limits)
        self.connection = partial(UpstreamConnection, limits)

    def ask(self, question: Question, receiver: Receiver) -> Asking:
        """Begin to ask."""
        return _HttpAsking(self, question, receiver)

    def close(self) -> None:
        """Close idle connections, and keep none from now on."""
        self.pool.close()

    def request(self, question: Question) -> tuple[bytes, ...]:
        """The request as it goes out, with as much of its body as there is: in one piece, unless that copied much."""
        target, proxy = self.target, self.dialler.proxy
        path = target.path(question.target)
        fields = "".join([f"{name}: {value}\r\n" for name, value in question.headers])
        if question.chunked:
            fields += "Transfer-Encoding: chunked\r\n"
        elif header(question.headers, "content-length") is None and (
            question.body or question.method not in _HAVE_NO_BODY
        ):
            fields += f"Content-Length: {len(question.body or b'')}\r\n"
        if proxy is not None and not target.secure:
            path = target.origin if path == "*" else target.origin + path
            if proxy.authorization is not None:
                fields += f"Proxy-Authorization: {proxy.authorization}\r\n"
        head = f"{question.method} {path} HTTP/1.1\r\nHost: {target.authority}\r\n{fields}\r\n"
        pieces = (head.encode("utf-8", "surrogateescape"), *_body(question))
        return pieces if sum(map(len, pieces)) > _LARGE_BYTES else (b"".join(pieces),)


def _body(question: Question) -> tuple[bytes, ...]:
    body = question.body or b""
    if not question.chunked:
        return (body,) if body else ()
    return _chunk(body) if question.rest is not None else (*_chunk(body), _LAST_CHUNK)


def _chunk(data: bytes) -> tuple[bytes, ...]:
    return (b"%x\r\n" % len(data), data, b"\r\n") if data else ()


class _HttpAsking:
    """One question: an Asker for its connection, and a BodySink for what was too large to keep."""

    __slots__ = (
        "_connection",
        "_dialling",
        "_paused",
        "_question",
        "_rest",
        "_upstream",
        "method",
        "receiver",
    )

    def __init__(self, upstream: HttpUpstream, question: Question, receiver: Receiver) -> None:
        self.method = question.method
        self._upstream = upstream
        self._question = question
        self.receiver = receiver
        self._rest: BodySource | None = None  # while it is being sent
        self._paused = False
        self._dialling: asyncio.Task[None] | None = None
        self._connection = upstream.pool.take()
        if self._connection is None:
            self._dialling = asyncio.get_running_loop().create_task(self._dial())
        else:
            self._send(self._connection)

    @property
    def upgrades(self) -> bool:
        return wants_upgrade(self._question.headers)

    def pause(self) -> None:
        self._paused = True
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        self._paused = False
        if self._connection is not None:
            self._connection.resume()

    def cancel(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()

    def hand_to(self, receiver: Receiver) -> None:
        self.receiver = receiver

    async def _dial(self) -> None:
        try:
            self._connection = await self._upstream.dialler.dial(self._upstream.connection)
        except UpstreamFailed as error:
            self.receiver.upstream_failed(error)
            return
        finally:
            self._dialling = None
        self._send(self._connection)

    def _send(self, connection: UpstreamConnection) -> None:
        connection.carry(self, *self._upstream.request(self._question))
        if self._paused:
            connection.pause()
        if self._question.rest is not None:
            self._rest = self._question.rest
            self._rest.start(self)
            if connection.full:  # since what was kept of the body was written
                self.filled()

    # what the connection tells it ------------------------------------------------------------------------------------

    def head(self, head: ResponseHead, framing: Framing) -> None:
        headers = end_to_end(head.headers)
        if framing is Framing.CHUNKED and head.length is not None:  # RFC 9112, 6.3: of two the coding counts
            headers = tuple(pair for pair in headers if pair[0].lower() != "content-length")
        self.receiver.upstream_head(AnswerHead(head.status, head.reason, headers, framing))

    def end(self, connection: UpstreamConnection, *, reusable: bool) -> None:
        self._connection = None  # it may be somebody else's from now on
        if connection.full or self._rest is not None:  # nobody waits for the end of the request any more
            connection.drop()
        elif reusable:
            if self._paused:
                connection.resume()
            self._upstream.pool.give(connection)
        else:
            connection.close()
        self.receiver.upstream_end()

    def upgraded(self, head: ResponseHead, pipe: RawPipe) -> None:
        self.receiver.upstream_upgraded(AnswerHead(head.status, head.reason, head.headers, Framing.EMPTY), pipe)

    def broken(self, why: str, *, headed: bool) -> None:
        words = f"the upstream broke the chunked encoding: {why}"
        if not headed:
            words = f"{self._upstream.target} did not answer in HTTP: {why}"
        self._fail(UpstreamFailed.PROTOCOL, words)

    def lost(self, error: Exception | None, *, heard: bool, headed: bool) -> None:
        if not heard and self._may_ask_again():
            self._connection = None
            self._dialling = asyncio.get_running_loop().create_task(self._dial())
        elif not headed:
            self._fail(UpstreamFailed.RESET, f"{self._upstream.target} closed the connection without an answer")
        elif error is not None:
            self._fail(UpstreamFailed.RESET, "the connection was reset")
        else:
            self._fail(UpstreamFailed.INCOMPLETE, "the connection ended before the body was complete")

    def _may_ask_again(self) -> bool:
        """Whether a pooled connection had ended before it was used, for a request that may be repeated."""
        connection = self._connection
        fresh = connection is None or not connection.used
        return not fresh and self.method in _IDEMPOTENT and self._question.rest is None

    def silent(self, silence_s: float) -> None:
        self._fail(UpstreamFailed.TIMEOUT, f"the upstream was silent for {silence_s:g} s")

    # the rest of a large request body --------------------------------------------------------------------------------

    def filled(self) -> None:
        if self._rest is not None:
            self._rest.pause()

    def drained(self) -> None:
        if self._rest is not None:
            self._rest.resume()

    def body_data(self, data: bytes) -> None:
        if self._connection is not None:
            self._connection.write(b"".join(_chunk(data)) if self._question.chunked else data)

    def body_end(self) -> None:
        self._rest = None
        if self._connection is not None and self._question.chunked:
            self._connection.write(_LAST_CHUNK)

    def body_lost(self) -> None:
        """The client left; whoever asked hears of it from the client's side and cancels."""

    # inside ----------------------------------------------------------------------------------------------------------

    def _fail(self, kind: str, words: str) -> None:
        self._connection = None
        self.receiver.upstream_failed(UpstreamFailed(kind, words))
