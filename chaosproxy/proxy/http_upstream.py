"""The upstream edge over aiohttp's client: pooled keep-alive connections, one task per question.

aiohttp's compiled parser can stop for ever at a malformed chunk-size line (aio-libs/aiohttp#10596), so two watches
stand beside it: one on the connection, which it closes then, and one on silence.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from chaosproxy.errors import UpstreamFailed, UserError
from chaosproxy.events import Framing, Headers, header
from chaosproxy.proxy.edges import AnswerHead, Asking, Question, Receiver
from chaosproxy.proxy.headers import end_to_end, wants_upgrade
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.target import Target
from chaosproxy.proxy.upstream_pipe import UpstreamPipe

_SET_BY_AIOHTTP = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


def open_session(limits: Limits, ca: str | None) -> aiohttp.ClientSession:
    """The connection pools of one proxy. ``ca``: a PEM file of certificates to trust beside the system's.

    Raises UserError when that file cannot be used.
    """
    context: ssl.SSLContext | bool = True
    if ca is not None:
        context = ssl.create_default_context()
        try:
            context.load_verify_locations(ca)
        except OSError as error:  # ssl.SSLError included
            raise UserError(f"cannot read certificates from {ca}: {error.strerror or error}") from error
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=context, keepalive_timeout=limits.pooled_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=_SET_BY_AIOHTTP,
        timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_s),
        max_line_size=limits.header_bytes,
        max_field_size=limits.header_bytes,
        read_bufsize=limits.unread_bytes,
    )


class HttpUpstream:
    """Where one listener sends its requests."""

    def __init__(self, target: Target, session: aiohttp.ClientSession, limits: Limits) -> None:
        self.target = target
        self.session = session
        self.limits = limits
        self.proxy = _forward_proxy(target)

    def ask(self, question: Question, receiver: Receiver) -> Asking:
        """Begin to ask."""
        return _HttpAsking(self, question, receiver)


def _forward_proxy(target: Target) -> str | None:
    """What HTTPS_PROXY, HTTP_PROXY and NO_PROXY say about this upstream."""
    if proxy_bypass(target.host):
        return None
    return getproxies().get(target.origin.partition("://")[0])


class _HttpAsking:
    def __init__(self, upstream: HttpUpstream, question: Question, receiver: Receiver) -> None:
        self._upstream = upstream
        self._question = question
        self._receiver = receiver
        self._loop = asyncio.get_running_loop()
        self._resumed = asyncio.Event()
        self._resumed.set()
        self._broken: UpstreamFailed | None = None
        self._cancelled = False
        self._heard_at = self._loop.time()
        self._watch = self._loop.call_later(upstream.limits.idle_s, self._check_silence)
        self._task = self._loop.create_task(self._run())

    def pause(self) -> None:
        self._resumed.clear()

    def resume(self) -> None:
        self._heard_at = self._loop.time()
        self._resumed.set()

    def cancel(self) -> None:
        self._cancelled = True
        self._watch.cancel()
        self._task.cancel()

    async def _run(self) -> None:
        try:
            await self._ask()
        except asyncio.CancelledError:
            if self._cancelled or self._broken is None:
                raise
            self._receiver.upstream_failed(self._broken)
        except (UpstreamFailed, aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            if not self._cancelled:
                self._receiver.upstream_failed(_failure(error, self._upstream.target))
        finally:
            self._watch.cancel()

    async def _ask(self) -> None:
        question, upstream = self._question, self._upstream
        async with upstream.session.request(
            question.method,
            upstream.target.url(question.target),
            headers=question.headers,
            data=question.body,
            chunked=True if question.chunked else None,
            allow_redirects=False,
            proxy=upstream.proxy,
        ) as answer:
            self._heard_at = self._loop.time()
            head = _read_head(question.method, answer)
            if answer.status == 101 and wants_upgrade(question.headers):
                pipe = UpstreamPipe(answer)
                self._receiver.upstream_upgraded(head, pipe)
                self._watch.cancel()
                await pipe.closed
                return
            lost = self._watch_connection(answer)
            self._receiver.upstream_head(head)
            try:
                await self._read_body(answer.content)
            except (aiohttp.ClientPayloadError, asyncio.CancelledError) as error:
                self._deliver_unread(answer.content)
                if isinstance(error, asyncio.CancelledError):
                    raise
                raise _cut(lost) from error
            if head.framing is Framing.CLOSE and _was_reset(lost):
                raise _cut(lost)
        if not self._cancelled:
            self._receiver.upstream_end()

    async def _read_body(self, content: aiohttp.StreamReader) -> None:
        if content.at_eof():
            return  # an empty body; iterating over aiohttp's empty payload never ends
        async for data, _ in content.iter_chunks():
            self._heard_at = self._loop.time()
            if self._cancelled:  # what is buffered comes without waiting, so the task has not noticed yet
                return
            if data:
                self._receiver.upstream_data(data)
            await self._resumed.wait()

    def _deliver_unread(self, content: aiohttp.StreamReader) -> None:
        """What came before the connection broke: a StreamReader raises before it hands that out."""
        content._exception = None  # noqa: SLF001 - there is no public way to it
        if not self._cancelled and (data := content.read_nowait()):
            self._receiver.upstream_data(data)

    def _watch_connection(self, answer: aiohttp.ClientResponse) -> asyncio.Future[None] | None:
        connection = answer.connection
        lost = connection.protocol.closed if connection is not None and connection.protocol is not None else None
        if lost is not None:
            notice = partial(self._connection_lost, answer.content)
            lost.add_done_callback(notice)
            self._task.add_done_callback(lambda _: _hand_back(lost, notice))
        return lost

    def _connection_lost(self, content: aiohttp.StreamReader, lost: asyncio.Future[None]) -> None:
        _was_reset(lost)  # its exception is retrieved, or asyncio complains
        if not content.is_eof() and content.exception() is None and not self._task.done():
            self._break(UpstreamFailed.PROTOCOL, "the upstream broke the chunked encoding")

    def _check_silence(self) -> None:
        limit = self._upstream.limits.idle_s
        left = self._heard_at + limit - self._loop.time()
        if not self._resumed.is_set():
            left = limit
        if left <= 0:
            self._break(UpstreamFailed.TIMEOUT, f"the upstream was silent for {limit:g} s")
        else:
            self._watch = self._loop.call_later(left, self._check_silence)

    def _break(self, kind: str, words: str) -> None:
        self._broken = UpstreamFailed(kind, words)
        self._task.cancel()


def _read_head(method: str, answer: aiohttp.ClientResponse) -> AnswerHead:
    raw: Headers = tuple(
        (name.decode("ascii", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in answer.raw_headers
    )
    if answer.status == 101:
        return AnswerHead(answer.status, answer.reason or "", raw, Framing.EMPTY)
    headers = end_to_end(raw)
    if method == "HEAD" or answer.status in (204, 304):
        framing = Framing.EMPTY
    elif "chunked" in (header(raw, "transfer-encoding") or "").lower():
        framing = Framing.CHUNKED
        headers = tuple(pair for pair in headers if pair[0].lower() != "content-length")
    else:
        framing = Framing.LENGTH if header(headers, "content-length") is not None else Framing.CLOSE
    return AnswerHead(answer.status, answer.reason or "", headers, framing)


def _hand_back(lost: asyncio.Future[None], notice: Callable[[asyncio.Future[None]], None]) -> None:
    """The connection goes on to others: it must not keep what it was used for, and how it ends is no news."""
    lost.remove_done_callback(notice)
    lost.remove_done_callback(_was_reset)
    lost.add_done_callback(_was_reset)


def _was_reset(lost: asyncio.Future[None] | None) -> bool:
    return lost is not None and lost.done() and not lost.cancelled() and lost.exception() is not None


def _cut(lost: asyncio.Future[None] | None) -> UpstreamFailed:
    if _was_reset(lost):
        return UpstreamFailed(UpstreamFailed.RESET, "the connection was reset")
    return UpstreamFailed(UpstreamFailed.INCOMPLETE, "the connection ended before the body was complete")


def _failure(error: Exception, target: Target) -> UpstreamFailed:
    match error:
        case UpstreamFailed():
            return error
        case aiohttp.ClientSSLError():
            return UpstreamFailed(UpstreamFailed.TLS, f"{target}: {error}")
        case aiohttp.ClientConnectorError():
            return UpstreamFailed(UpstreamFailed.CONNECT, f"{target}: {(error.strerror or str(error)).lower()}")
        case TimeoutError():
            return UpstreamFailed(UpstreamFailed.TIMEOUT, f"{target}: no connection in time")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | ConnectionError():
            return UpstreamFailed(UpstreamFailed.RESET, f"{target} closed the connection without an answer")
        case _:
            return UpstreamFailed(UpstreamFailed.PROTOCOL, f"{target} did not answer in HTTP: {type(error).__name__}")
