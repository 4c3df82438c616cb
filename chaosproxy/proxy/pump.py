"""The pump: one exchange between its two edges, driven by their callbacks and by one timer.

    upstream -> tally -+---------------- passing ------------------+-> client
                       +-> frames -> Chain, each out at its at ----+

While no fault is attached the bytes go straight through, as they came. The tally splits them into frames all the same,
so the pump always knows where it is, and a chain can be attached or taken away at any frame boundary.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Abort, Ask, Cut, End, Exchange, Frame, Head, Terminal, Travelling, header
from chaosproxy.faults.chain import Chain
from chaosproxy.plan.decision import Decision
from chaosproxy.proxy.account import ENDED_BY, Account
from chaosproxy.proxy.client_side import ClientSide
from chaosproxy.proxy.containment import Containment
from chaosproxy.proxy.edges import AnswerHead, Asking, ClientWire, Pipe, Receiver
from chaosproxy.proxy.headers import media_type
from chaosproxy.proxy.own_answer import own_answer
from chaosproxy.proxy.retry_after import retry_after_s
from chaosproxy.proxy.surroundings import Surroundings
from chaosproxy.proxy.tally import Tally, compressed
from chaosproxy.proxy.tunnel import Tunnel
from chaosproxy.proxy.upstream_side import UpstreamSide
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.raw import RAW_BODY

Decide = Callable[[Exchange], Decision | None]


class Pump:
    """Carries one exchange. ``ask`` sends its request to the upstream."""

    def __init__(
        self,
        account: Account,
        dialect: Dialect,
        wire: ClientWire,
        ask: Callable[[Receiver], Asking],
        around: Surroundings,
    ) -> None:
        self.account = account
        self._dialect = dialect
        self._around = around
        self._client = ClientSide(wire, account)
        self._upstream = UpstreamSide(ask, around.limits, self._hung_up)
        self._chain = Chain()
        self._passing = True
        self._diverged = False  # a fault was attached at some time, so the edges may differ
        self._waiting: dict[str, Decide] = {}  # faults that begin at the next frame boundary
        self._tunnel: Tunnel | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._finished = False
        self._contained = Containment(self._failed)

    # what the proxy tells it -----------------------------------------------------------------------------------------

    def start(self, decide: Callable[[], Iterable[Decision]]) -> None:
        """Begin with what the plan decides about this exchange."""
        with self._contained:
            for decision in decide():
                self._attach(decision)
            self._passing = self._chain.empty
        self._client.wire.own(self)
        self._push(Ask(self._now()))

    def attach(self, rule_id: str, decide: Decide) -> None:
        """A fault began to act while this exchange is open; ``decide`` is asked at the next frame boundary."""
        if self._client.over or self._tunnel is not None:
            return
        self._waiting[rule_id] = decide
        self._client.separate()
        if not self._passing or not self.account.received.tally.pending:
            with self._contained:
                self._attach_waiting()
                self._advance()

    def heal(self, rule_id: str) -> None:
        """A fault ceased to act."""
        self._waiting.pop(rule_id, None)
        if self._client.over:
            return
        with self._contained:
            self._chain.heal(rule_id, self._now())
            self._advance()
        self._passing = self._passing or (self._chain.empty and not self.account.received.tally.pending)

    def stop(self) -> None:
        """The proxy ends: hang up on both sides."""
        if self._tunnel is not None:
            self._tunnel.close()
        elif not self._client.over:
            self._client.abort(Cut.FIN, self._now(), "unfinished")
        self._upstream.hang_up()
        self._finish_if_over()

    # what the upstream tells it --------------------------------------------------------------------------------------

    def upstream_head(self, head: AnswerHead) -> None:
        with self._contained:
            self._begin_answer(head)

    def upstream_data(self, data: bytes) -> None:
        with self._contained:
            self._carry(data)

    def upstream_end(self) -> None:
        at = self._now()
        self.account.received.end("end", at)
        self._upstream.ended()
        self._push_end(End(at))

    def upstream_failed(self, error: UpstreamFailed) -> None:
        at = self._now()
        self.account.error = f"{error.kind}: {error}"
        self.account.received.end(ENDED_BY[error.kind], at)
        self._upstream.ended()
        if self.account.received.head_at is None:
            status = 504 if error.kind == UpstreamFailed.TIMEOUT else 502
            self._push(*own_answer(status, error.kind, str(error), at))
        else:
            self._push_end(Abort(at, Cut.FIN if error.kind == UpstreamFailed.INCOMPLETE else Cut.RESET))

    def upstream_upgraded(self, head: AnswerHead, pipe: Pipe) -> None:
        if self._client.over:
            pipe.close()
            return
        for side in (self.account.received, self.account.sent):
            side.status, side.head_at = head.status, self._now()
        for fault in self.account.silent:
            self._around.miss(self.account, fault, "the connection was upgraded")
        self._tunnel = Tunnel(self._client.wire.upgrade(head), pipe, self._tunnel_ended)

    # what the client tells it ----------------------------------------------------------------------------------------

    def wire_filled(self) -> None:
        self._balance()

    def wire_drained(self) -> None:
        self._balance()

    def client_gone(self) -> None:
        self._client.leave("gone", self._now())
        self._upstream.hang_up()
        self._finish_if_over()

    # inside ----------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._around.clock() - self.account.began_at

    def _tally(self, head: Head) -> Tally:
        return Tally(self._dialect, head, self._around.limits.answer_bytes)

    def _begin_answer(self, head: AnswerHead) -> None:
        at, received = self._now(), self.account.received
        streamed = media_type(header(head.headers, "content-type")) == media_type(self._dialect.stream_type)
        streamed = streamed and self._dialect is not RAW_BODY and not compressed(head.headers)
        event = Head(at, head.status, head.reason, head.headers, head.framing, streamed)
        received.status, received.head_at = head.status, at
        received.retry_after_s = retry_after_s(head.headers, self._around.wall())
        received.tally = self._tally(event)
        self._push(event)

    def _carry(self, data: bytes) -> None:
        at, tally = self._now(), self.account.received.tally
        before = tally.pending
        frames = tally.feed(data, at)
        if self._client.over:
            self._upstream.drained(len(data))
        elif not self._passing and not (self._chain.empty and frames):
            self._push(*frames)
        elif not self._passing:  # healed in mid-frame: from this boundary on everything passes again
            self._passing = True
            self._client.data(b"".join(frame.data for frame in frames) + data[len(data) - tally.pending :], at)
        elif self._waiting and frames:
            boundary = len(frames[0].data) - before
            self._client.data(data[:boundary], at)
            self._attach_waiting()
            if self._passing:
                self._client.data(data[boundary:], at)
            else:
                self._push(*frames[1:])
        else:
            self._client.data(data, at)

    def _push(self, *events: Travelling) -> None:
        if self._client.over:
            self._finish_if_over()
            return
        with self._contained:
            for event in events:
                self._chain.push(event)
            self._advance()

    def _failed(self, error: Exception) -> None:
        """End this exchange: with a 500 of ours if nothing was sent yet, else by cutting it off."""
        self._around.failed(self.account, error)
        self._chain, self._passing = Chain(), False
        self._upstream.hang_up()
        if self._client.silent:
            self.account.error = "internal: a fault failed"
            for event in own_answer(500, "internal", "a fault failed, see the log", self._now()):
                self._emit(event)
        else:
            self.stop()

    def _push_end(self, end: Terminal) -> None:
        with self._contained:
            rest = self.account.received.tally.flush(end.at)
            self._push(*(() if self._passing else rest), end)

    def _attach_waiting(self) -> None:
        """At a frame boundary: ask the plan about the faults that began meanwhile."""
        waiting, self._waiting = self._waiting, {}
        exchange = replace(self.account.exchange, seen=replace(self._client.seen, open=True))
        for decide in waiting.values():
            if (decision := decide(exchange)) is not None:
                self._attach(decision)
        self._passing = self._passing and self._chain.empty
        if not self._diverged:
            self._client.rejoin()

    def _attach(self, decision: Decision) -> None:
        if decision.stage is None:
            self.account.misses[decision.rule_id] = decision.reason
            return
        self._diverged = True
        self.account.misses.pop(decision.rule_id, None)
        self.account.attached[decision.rule_id] = decision
        self._chain.attach(decision.rule_id, decision.stage, self._now())

    def _advance(self) -> None:
        """Let out what is due, and set the timer for the rest; a timer that fires early only sets it again."""
        events = self._chain.advance(self._now())
        for report in self._chain.take_reports():
            self._around.note(self.account, report)
        for event in events:
            self._emit(event)
        self._balance()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = None if self._client.over else self._chain.next_at()
        if due is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due - self._now()), self._push)

    def _emit(self, event: Travelling) -> None:
        at = self._now()
        match event:
            case Ask():
                self.account.asked_at = at
                self._upstream.ask(self)
            case Head():
                shared = self._passing and self.account.received.head_at is not None
                tally = self.account.received.tally if shared else self._tally(event)
                self._client.head(event, at, retry_after_s(event.headers, self._around.wall()), tally)
            case Frame(_, data):
                self._client.data(data, at)
            case End():
                self._client.end(at)
            case Abort(_, how):
                self._client.abort(how, at)
        if self._client.over:
            self._upstream.drain()
            self._finish_if_over()

    def _balance(self) -> None:
        held = self._chain.held_bytes > self._around.limits.held_bytes
        self._upstream.balance(full=not self._client.over and (self._client.wire.full or held))

    def _hung_up(self) -> None:
        self.account.received.end("unfinished", self._now())
        self._finish_if_over()

    def _tunnel_ended(self, tunnelled_bytes: int) -> None:
        self._upstream.ended()
        for side in (self.account.received, self.account.sent):
            side.tunnelled_bytes = tunnelled_bytes
            side.end("end", self._now())
        self._finish_if_over()

    def _finish_if_over(self) -> None:
        if self._finished or not self._client.over or self._upstream.under_way:
            return
        self._finished = True
        if self._timer is not None:
            self._timer.cancel()
        for fault in self.account.silent:
            self._around.miss(self.account, fault, "the exchange ended before it could act")
        for fault in self._waiting:
            self.account.misses.setdefault(fault, "the exchange ended before it could act")
        self._around.finished(self.account)
