"""The reception of a listener: finds out who a request is, asks the plan, and starts its pump."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import structlog

from chaosproxy.events import Exchange, Headers
from chaosproxy.plan.counters import Counters
from chaosproxy.plan.identity import identify
from chaosproxy.plan.plan import Plan
from chaosproxy.proxy.account import Account
from chaosproxy.proxy.arriving import Arriving, Message
from chaosproxy.proxy.client_wire import HttpWire
from chaosproxy.proxy.edges import Asking, Question, Receiver
from chaosproxy.proxy.headers import read_headers, to_upstream
from chaosproxy.proxy.pump import Pump
from chaosproxy.proxy.surroundings import Surroundings
from chaosproxy.proxy.upstream.http import HttpUpstream
from chaosproxy.wire.dialects import detect, dialect
from chaosproxy.wire.dialects.base import Dialect, RequestFacts

log = structlog.get_logger()


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

    def receive(self, request: Arriving, wire: HttpWire) -> None:
        """Handle one request, whose body is complete or larger than Limits.body_bytes."""
        message, body, whole = request.message, request.take(), request.complete
        headers = read_headers(message.raw_headers)
        spoken = self._dialect or detect(message.method, message.path)
        exchange = self._exchange(message, spoken, headers, body if whole else None)
        question = Question(
            method=exchange.method,
            target=message.path,
            headers=to_upstream(headers, identity=self._plan.edits_frames(self._listener)),
            body=body or None,
            chunked=message.chunked,
            rest=None if whole else request,
        )

        def ask(receiver: Receiver) -> Asking:
            return self._upstream.ask(question, receiver)

        pump = Pump(Account(exchange, request.began_at), spoken, wire, ask, self._around)
        self._opened(pump)
        pump.start(partial(self._plan.decide, exchange, self._around.clock()))

    def _exchange(self, message: Message, spoken: Dialect, headers: Headers, body: bytes | None) -> Exchange:
        ordinal = self._counters.arrival(self._listener)
        facts = spoken.read_request(body, message.path) if body is not None else RequestFacts()
        who = identify(headers, facts.prompt, body or b"", listener=self._listener, counters=self._counters)
        return Exchange(
            id=f"{self._listener}-{self._around.token}-{ordinal}",
            listener=self._listener,
            ordinal=ordinal,
            method=message.method,
            path=message.path.partition("?")[0],
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

    def explain_404(self, exchange: Exchange) -> None:
        """The first time that an upstream with a base path does not know a path, say where the request went."""
        words = self._upstream.target.words_for_404(exchange.path)
        if words is not None and not self._explained_404:
            self._explained_404 = True
            log.warning("upstream_404", listener=self._listener, explanation=words)
