"""The reception of a listener: finds out who a request is, asks the plan, and starts its pump."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import structlog

from chaosproxy.dice import Dice
from chaosproxy.errors import BadValue
from chaosproxy.events import End, Exchange, Frame, Head, Headers
from chaosproxy.plan.counters import Counters
from chaosproxy.plan.decision import Decision
from chaosproxy.plan.identity import identify
from chaosproxy.plan.per_request import FAULT_HEADER, asked_faults, decide_asked, rules_asked_for
from chaosproxy.plan.plan import Plan
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.account import Account
from chaosproxy.proxy.arriving import Arriving
from chaosproxy.proxy.client_wire import HttpWire
from chaosproxy.proxy.edges import Asking, Question, Receiver
from chaosproxy.proxy.headers import read_headers, to_upstream
from chaosproxy.proxy.own_answer import Page, Pages, own_answer
from chaosproxy.proxy.pump import Pump
from chaosproxy.proxy.surroundings import Surroundings
from chaosproxy.proxy.target import origin_form
from chaosproxy.proxy.upstream.http import HttpUpstream
from chaosproxy.wire.dialects import detect, dialect
from chaosproxy.wire.dialects.base import Dialect, RequestFacts

log = structlog.get_logger()

MODEL_CHARS = 256
"""As much of a model's name is looked at and journaled: a client may send megabytes as one."""
BAD_FAULT = "fault_header"
"""The kind of our own error when a request asks for a fault that cannot be."""


class Reception:
    """Receives the requests of one listener. ``opened`` is told of each pump that starts.

    ``header_dice`` are for faults that requests ask for themselves; None: they may not. What ``pages`` answers
    never reaches the upstream, and is no exchange.
    """

    def __init__(
        self,
        listener: str,
        dialect_name: str,
        upstream: HttpUpstream,
        plan: Plan,
        counters: Counters,
        around: Surroundings,
        opened: Callable[[Pump], None],
        header_dice: Dice | None = None,
    ) -> None:
        self._listener = listener
        self._dialect = None if dialect_name == "auto" else dialect(dialect_name)
        self._upstream = upstream
        self._plan = plan
        self._counters = counters
        self._around = around
        self._opened = opened
        self._header_dice = header_dice
        self.pages: Pages | None = None
        self._explained_404 = False

    def receive(self, request: Arriving, wire: HttpWire) -> None:
        """Handle one request, whose body is complete or larger than Limits.body_bytes."""
        message, body, whole = request.message, request.take(), request.complete
        headers = read_headers(message.raw_headers)
        if self.pages is not None and (page := self._page(message.method, message.path, headers)) is not None:
            answer_whole(wire, page.events())
            return
        try:
            rules = self._rules_asked_for(headers)
        except BadValue as error:
            self._refuse(wire, f"{FAULT_HEADER}: {'; '.join(str(error).splitlines())}")
            return
        edits_frames = self._plan.edits_frames(self._listener) or any(rule.do.edits_frames for rule in rules)
        target = origin_form(message.path)
        spoken = self._dialect or detect(message.method, target)
        exchange = self._exchange(request, target, spoken, headers, body if whole else None)
        question = Question(
            method=exchange.method,
            target=target,
            headers=to_upstream(headers, identity=edits_frames),
            body=body or None,
            chunked=message.chunked,
            rest=None if whole else request,
        )

        def ask(receiver: Receiver, without: tuple[str, ...]) -> Asking:
            return self._upstream.ask(lacking(question, without), receiver)

        account = Account(exchange, request.began_at)
        self._around.began(account, wire)
        pump = Pump(account, spoken, wire, ask, self._around)
        self._opened(pump)
        decide = partial(self._decide, rules) if rules else self._plan.decide
        pump.start(partial(decide, exchange, self._around.clock()))

    def _rules_asked_for(self, headers: Headers) -> tuple[Rule, ...]:
        """Of the faults that this request brings along, if it may. Raises BadValue."""
        if self._header_dice is None or self._plan.halted or not (asked := asked_faults(headers)):
            return ()
        rules = rules_asked_for(asked, self._listener)
        for active in self._plan.active:
            if any(rule.id == active.rule.id for rule in rules):
                raise BadValue(f"a fault that is active has the id {active.rule.id!r}")
        return rules

    def _decide(self, rules: tuple[Rule, ...], exchange: Exchange, now: float) -> list[Decision]:
        """The plan's decisions and those about this request's own faults, admission first."""
        if self._header_dice is None:
            return self._plan.decide(exchange, now)
        first = tuple([rule for rule in rules if rule.do.stops_upstream])
        others = tuple([rule for rule in rules if not rule.do.stops_upstream])
        return [
            *decide_asked(first, self._header_dice, exchange, now),
            *self._plan.decide(exchange, now),
            *decide_asked(others, self._header_dice, exchange, now),
        ]

    def _refuse(self, wire: HttpWire, words: str) -> None:
        self._around.refused(BAD_FAULT)
        answer_whole(wire, own_answer(400, BAD_FAULT, words, 0.0))

    def _page(self, method: str, target: str, headers: Headers) -> Page | None:
        return self.pages(target, headers) if self.pages is not None and method == "GET" else None

    def _exchange(
        self, request: Arriving, target: str, spoken: Dialect, headers: Headers, body: bytes | None
    ) -> Exchange:
        message = request.message
        ordinal = self._counters.arrival(self._listener)
        facts = spoken.read_request(body, target) if body is not None else RequestFacts()
        who = identify(headers, facts.prompt, body or b"", listener=self._listener, counters=self._counters)
        return Exchange(
            id=f"{self._listener}-{self._around.token}-{ordinal}",
            listener=self._listener,
            ordinal=ordinal,
            method=message.method,
            path=target.partition("?")[0],
            dialect=spoken.name,
            model=None if facts.model is None else facts.model[:MODEL_CHARS],
            stream=facts.stream,
            headers=headers,
            call=who.call,
            attempt=who.attempt,
            dice_key=who.dice_key,
            occurrence=who.occurrence,
            body_read=body is not None,
            opens_connection=request.opens_connection,
            prompt_tokens=None if facts.prompt is None else (len(facts.prompt) + 3) // 4,
        )

    def explain_404(self, exchange: Exchange) -> None:
        """The first time that an upstream with a base path does not know a path, say where the request went."""
        words = self._upstream.target.words_for_404(exchange.path)
        if words is not None and not self._explained_404:
            self._explained_404 = True
            log.warning("upstream_404", listener=self._listener, explanation=words)


def answer_whole(wire: HttpWire, events: tuple[Head, Frame, End]) -> None:
    """Send an answer that comes from us."""
    head, body, _ = events
    wire.head(head)
    wire.data(body.data)
    wire.end()


def lacking(question: Question, names: tuple[str, ...]) -> Question:
    """The same question without these header fields."""
    if not names:
        return question
    return replace(question, headers=tuple(pair for pair in question.headers if pair[0].lower() not in names))
