"""The reception of a listener: reads a request, finds out who it is, asks the plan, and starts its pump."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import cast

import structlog
from aiohttp import HttpVersion11, web

from chaosproxy.events import Exchange, Headers, header
from chaosproxy.plan.counters import Counters
from chaosproxy.plan.identity import identify
from chaosproxy.plan.plan import Plan
from chaosproxy.proxy.account import Account
from chaosproxy.proxy.client_wire import HttpWire
from chaosproxy.proxy.connection import Connection, Handover
from chaosproxy.proxy.edges import Asking, Question, Receiver
from chaosproxy.proxy.headers import to_upstream
from chaosproxy.proxy.http_upstream import HttpUpstream
from chaosproxy.proxy.own_answer import own_answer
from chaosproxy.proxy.pump import Pump
from chaosproxy.proxy.surroundings import Surroundings
from chaosproxy.wire.dialects import detect, dialect
from chaosproxy.wire.dialects.base import Dialect, RequestFacts

log = structlog.get_logger()

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _ClientLeft(Exception):
    """In the middle of its request."""


class Reception:
    """Receives the requests of one listener. ``opened`` is told of each pump that starts."""

    def __init__(
        self,
        listener: str,
        dialect_name: str,
        upstream: HttpUpstream,
        plan: Plan,
        counters: Counters,
        around: Surroundings,
        opened: Callable[[Pump], None],
    ) -> None:
        self._listener = listener
        self._dialect = None if dialect_name == "auto" else dialect(dialect_name)
        self._upstream = upstream
        self._plan = plan
        self._counters = counters
        self._around = around
        self._opened = opened
        self._explained_404 = False

    async def receive(self, request: web.BaseRequest) -> web.StreamResponse:
        """Handle one request; returns when the client's side of it is over."""
        connection = cast(Connection, request.protocol)
        connection.busy = True
        try:
            return Handover(keep_alive=await self._receive(request, connection))
        finally:
            connection.busy = False

    async def _receive(self, request: web.BaseRequest, connection: Connection) -> bool:
        began_at = self._around.clock()
        ordinal = self._counters.arrival(self._listener)
        if connection.transport is None:
            return False
        wire = HttpWire(
            connection, connection.transport, http_1_0=request.version < HttpVersion11, keep_alive=request.keep_alive
        )
        if request.method == "CONNECT":
            return self._refuse(
                wire, 501, "connect_method", "this proxy stands in front of one upstream; it opens no tunnels"
            )
        if (request.headers.get("Expect") or "").lower() == "100-continue":
            connection.transport.write(_CONTINUE)
        try:
            body, whole = await self._read_body(request)
        except TimeoutError:
            return self._refuse(wire, 408, "request_timeout", "the request body did not arrive in time")
        except _ClientLeft:
            return False
        headers = _headers(request)
        spoken = self._dialect or detect(request.method, request.path)
        exchange = self._exchange(request, ordinal, spoken, headers, body if whole else None)
        pump = self._pump(request, exchange, spoken, wire, began_at, body, whole=whole)
        self._opened(pump)
        pump.start(partial(self._plan.decide, exchange, self._around.clock()))
        return await wire.closed

    def _refuse(self, wire: HttpWire, status: int, kind: str, words: str) -> bool:
        self._around.refused(kind)
        head, body, _ = own_answer(status, kind, words, 0.0)
        wire.close_after()
        wire.head(head)
        wire.data(body.data)
        wire.end()
        return False

    async def _read_body(self, request: web.BaseRequest) -> tuple[bytes, bool]:
        """The beginning of the body, up to Limits.body_bytes, and whether that is all of it."""
        limits = self._around.limits
        pieces: list[bytes] = []
        size = 0
        try:
            while not request.content.at_eof() and size <= limits.body_bytes:
                async with asyncio.timeout(limits.idle_s):
                    pieces.append(await request.content.readany())
                size += len(pieces[-1])
        except (ConnectionError, web.RequestPayloadError) as error:
            raise _ClientLeft from error
        return b"".join(pieces), request.content.at_eof()

    def _exchange(
        self, request: web.BaseRequest, ordinal: int, spoken: Dialect, headers: Headers, body: bytes | None
    ) -> Exchange:
        facts = spoken.read_request(body) if body is not None else RequestFacts()
        who = identify(headers, facts.prompt, body or b"", listener=self._listener, counters=self._counters)
        return Exchange(
            id=f"{self._listener}-{self._around.token}-{ordinal}",
            listener=self._listener,
            ordinal=ordinal,
            method=request.method,
            path=request.raw_path.partition("?")[0],
            dialect=spoken.name,
            model=facts.model,
            stream=facts.stream,
            headers=headers,
            call=who.call,
            attempt=who.attempt,
            dice_key=who.dice_key,
            body_read=body is not None,
            prompt_tokens=None if facts.prompt is None else (len(facts.prompt) + 3) // 4,
        )

    def _pump(
        self,
        request: web.BaseRequest,
        exchange: Exchange,
        spoken: Dialect,
        wire: HttpWire,
        began_at: float,
        body: bytes,
        *,
        whole: bool,
    ) -> Pump:
        identity = self._plan.edits_frames(self._listener)
        question = Question(
            method=exchange.method,
            target=request.raw_path,
            headers=to_upstream(exchange.headers, identity=identity),
            body=(body or None) if whole else _stream_on(body, request),
            chunked="chunked" in (header(exchange.headers, "transfer-encoding") or "").lower(),
        )

        def ask(receiver: Receiver) -> Asking:
            return self._upstream.ask(question, receiver)

        return Pump(Account(exchange, began_at), spoken, wire, ask, self._around)

    def explain_404(self, exchange: Exchange) -> None:
        """The first time that an upstream with a base path does not know a path, say where the request went."""
        words = self._upstream.target.words_for_404(exchange.path)
        if words is not None and not self._explained_404:
            self._explained_404 = True
            log.warning("upstream_404", listener=self._listener, explanation=words)


def _headers(request: web.BaseRequest) -> Headers:
    return tuple(
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in request.raw_headers
    )


async def _stream_on(body: bytes, request: web.BaseRequest) -> AsyncIterator[bytes]:
    """A body that was too large to keep: what was read of it, and the rest as it comes."""
    yield body
    async for piece in request.content.iter_any():
        yield piece
