"""The pump: one exchange between its two edges, driven by their callbacks and by one timer.

    upstream -> received.tally -+-------------- passing ---------------+-> sent.tally -> wire
                                +-> frames -> Chain -> each at its at -+

While no fault is attached the bytes go straight through, as they came. The tally splits them into frames all the same,
so the pump always knows where it is, and a chain can be attached or taken away at any frame boundary.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Abort, Ask, Cut, End, Exchange, Frame, Framing, Head, Hit, Travelling, header
from chaosproxy.faults.base import Stage
from chaosproxy.faults.chain import Chain
from chaosproxy.journal.records import FaultHit
from chaosproxy.plan.plan import Decision
from chaosproxy.proxy.account import Account, Ended
from chaosproxy.proxy.connection import own_error
from chaosproxy.proxy.edges import AnswerHead, Asking, ClientWire, Pipe, Receiver
from chaosproxy.proxy.headers import media_type
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.retry_after import retry_after_s
from chaosproxy.proxy.tally import Tally
from chaosproxy.proxy.tunnel import Tunnel
from chaosproxy.wire.dialects.base import Dialect

Decide = Callable[[Exchange], Decision | None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the pumps of one proxy share. ``clock`` is monotonic seconds, ``wall`` seconds since the epoch."""

    limits: Limits
    clock: Callable[[], float]
    wall: Callable[[], float]
    record_hit: Callable[[FaultHit], None]
    missed: Callable[[str], None]
    finished: Callable[[Pump], None]


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
        self._wire = wire
        self._ask = ask
        self._around = around
        self._loop = asyncio.get_running_loop()
        self._chain = Chain()
        self._passing = True
        self._diverged = False  # a fault was attached at some time, so the edges may differ
        self._waiting: dict[str, Decide] = {}  # faults that begin at the next frame boundary
        self._asking: Asking | None = None
        self._tunnel: Tunnel | None = None
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._drain_timer: asyncio.TimerHandle | None = None
        self._drained_bytes = 0
        self._finished = False

    # what the proxy tells it -----------------------------------------------------------------------------------------

    def start(self, decisions: Iterable[Decision]) -> None:
        """Begin with what the plan decided about this exchange."""
        for decision in decisions:
            self._attach(decision)
        self._passing = self._chain.empty
        self._wire.own(self)
        if not self._finished:
            self._push(Ask(self._now()))

    def attach(self, rule_id: str, decide: Decide) -> None:
        """A fault began to act while this exchange is open; ``decide`` is asked at the next frame boundary."""
        if self._client_over or self._tunnel is not None:
            return
        self._waiting[rule_id] = decide
        received, sent = self.account.received, self.account.sent
        if sent.tally is not None and sent.tally is received.tally:
            sent.tally = sent.tally.fork()
        if not self._passing or not self._pending:
            self._attach_waiting()
            self._advance()

    def heal(self, rule_id: str) -> None:
        """A fault ceased to act."""
        self._waiting.pop(rule_id, None)
        if self._client_over:
            return
        self._chain.heal(rule_id, self._now())
        self._advance()
        if not self._client_over and self._chain.empty and not self._pending:
            self._passing = True

    def stop(self) -> None:
        """The proxy ends: hang up on both sides."""
        if self._tunnel is not None:
            self._tunnel.close()
        elif not self._client_over:
            self._end_client("unfinished")
            self._wire.abort(Cut.FIN)
        self._hang_up()

    # what the upstream tells it --------------------------------------------------------------------------------------

    def upstream_head(self, head: AnswerHead) -> None:
        at = self._now()
        received = self.account.received
        received.status, received.head_at = head.status, at
        received.retry_after_s = retry_after_s(head.headers, self._around.wall())
        event = self._event(head, at)
        received.tally = self._tally(event)
        self._push(event)

    def upstream_data(self, data: bytes) -> None:
        at = self._now()
        tally = self.account.received.tally
        assert tally is not None
        before = tally.pending
        frames = tally.feed(data, at)
        if self._client_over:
            self._drained(len(data))
        elif not self._passing:
            if self._chain.empty and frames:  # healed in mid-frame: from this boundary on everything passes again
                self._passing = True
                self._send(b"".join(frame.data for frame in frames) + data[len(data) - tally.pending :], at)
            else:
                self._feed_chain(frames)
        elif self._waiting and frames:
            boundary = len(frames[0].data) - before
            self._send(data[:boundary], at)
            self._attach_waiting()
            if self._passing:
                self._send(data[boundary:], at)
            else:
                self._feed_chain(frames[1:])
        else:
            self._send(data, at)

    def upstream_end(self) -> None:
        at = self._now()
        self.account.received.end("end", at)
        self._asking = None
        self._flush(at)
        self._push(End(at))

    def upstream_failed(self, error: UpstreamFailed) -> None:
        at = self._now()
        self.account.error = f"{error.kind}: {error}"
        self.account.received.end(_HOW_IT_ENDED[error.kind], at)
        self._asking = None
        if self.account.received.head_at is None:
            self._answer_for(error)
            return
        self._flush(at)
        self._push(Abort(at, Cut.FIN if error.kind == UpstreamFailed.INCOMPLETE else Cut.RESET))

    def upstream_upgraded(self, head: AnswerHead, pipe: Pipe) -> None:
        account, at = self.account, self._now()
        for side in (account.received, account.sent):
            side.status, side.head_at = head.status, at
        if self._client_over:
            pipe.close()
            return
        for fault in account.silent:
            self._miss(fault, "the connection was upgraded")
        self._tunnel = Tunnel(self._wire.upgrade(head), pipe, self._tunnel_ended)

    # what the client tells it ----------------------------------------------------------------------------------------

    def wire_filled(self) -> None:
        self._balance()

    def wire_drained(self) -> None:
        self._balance()

    def client_gone(self) -> None:
        self._end_client("gone")
        self._hang_up()

    # inside ----------------------------------------------------------------------------------------------------------

    @property
    def _client_over(self) -> bool:
        return self.account.sent.end_at is not None

    @property
    def _pending(self) -> int:
        tally = self.account.received.tally
        return 0 if tally is None else tally.pending

    def _now(self) -> float:
        return self._around.clock() - self.account.began_at

    def _event(self, head: AnswerHead, at: float) -> Head:
        """A streamed answer is one of events in the dialect that can be read (so not compressed)."""
        streamed = media_type(header(head.headers, "content-type")) == media_type(self._dialect.stream_type)
        streamed = streamed and self._dialect.name != "raw" and _is_plain(head)
        return Head(at, head.status, head.reason, head.headers, head.framing, streamed)

    def _tally(self, head: Head) -> Tally:
        readable = self._dialect.name != "raw" and not header(head.headers, "content-encoding")
        return Tally(self._dialect, head, readable=readable, answer_bytes=self._around.limits.answer_bytes)

    def _push(self, event: Travelling) -> None:
        if self._client_over:
            self._finish_if_over()
            return
        self._chain.push(event)
        self._advance()

    def _feed_chain(self, frames: list[Frame]) -> None:
        for frame in frames:
            self._chain.push(frame)
        self._advance()

    def _flush(self, at: float) -> None:
        tally = self.account.received.tally
        rest = tally.flush(at) if tally is not None else []
        if not self._passing and not self._client_over:
            for frame in rest:
                self._chain.push(frame)

    def _attach_waiting(self) -> None:
        """At a frame boundary: ask the plan about the faults that began meanwhile."""
        received, sent = self.account.received, self.account.sent
        waiting, self._waiting = self._waiting, {}
        seen = sent.tally.seen if sent.tally is not None else self.account.exchange.seen
        exchange = replace(self.account.exchange, seen=replace(seen, open=True))
        for decide in waiting.values():
            if (decision := decide(exchange)) is not None:
                self._attach(decision)
        self._passing = self._passing and self._chain.empty
        if not self._diverged:
            sent.tally = received.tally  # nothing was attached: what passed is still the same on both edges

    def _attach(self, decision: Decision) -> None:
        if decision.stage is None:
            self.account.misses[decision.rule_id] = decision.reason
            return
        stage: Stage = decision.stage
        self._diverged = True
        if decision.rule_id not in self.account.attached:
            self.account.attached.append(decision.rule_id)
        self._chain.attach(decision.rule_id, stage, self._now())

    def _advance(self) -> None:
        """Let out what is due, report what the faults said, and set the timer for the rest."""
        events = self._chain.advance(self._now())
        for report in self._chain.take_reports():
            if isinstance(report.said, Hit):
                self._hit(report.fault_id, report.said)
            else:
                self._miss(report.fault_id, report.said.reason)
        for event in events:
            self._emit(event)
        self._balance()
        self._arm()

    def _emit(self, event: Travelling) -> None:
        match event:
            case Ask():
                self.account.asked_at = self._now()
                self._asking = self._ask(self)
            case Head():
                self._send_head(event)
            case Frame(_, data):
                self._send(data, self._now())
            case End():
                self._end_client("end")
                self._wire.end()
                self._client_ended()
            case Abort(_, how):
                self._end_client("fin" if how is Cut.FIN else "reset")
                self._wire.abort(how)
                self._client_ended()

    def _send_head(self, head: Head) -> None:
        received, sent = self.account.received, self.account.sent
        sent.status, sent.head_at = head.status, self._now()
        sent.retry_after_s = retry_after_s(head.headers, self._around.wall())
        sent.tally = received.tally if self._passing and received.tally is not None else self._tally(head)
        self._wire.head(head)

    def _send(self, data: bytes, at: float) -> None:
        sent = self.account.sent
        assert sent.tally is not None
        if sent.tally is not self.account.received.tally:
            sent.tally.feed(data, at)
        self._wire.data(data)

    def _answer_for(self, error: UpstreamFailed) -> None:
        """The upstream could not answer: say so in its place, and say that it is us who say it."""
        at = self._now()
        status = 504 if error.kind == UpstreamFailed.TIMEOUT else 502
        headers, body = own_error(error.kind, str(error))
        self._push(Head(at, status, "", headers, Framing.LENGTH))
        self._push(Frame(at, body))
        self._push(End(at))

    def _hit(self, fault: str, hit: Hit) -> None:
        account = self.account
        account.hit.add(fault)
        account.misses.pop(fault, None)
        exchange = account.exchange
        at = account.began_at + hit.at
        self._around.record_hit(
            FaultHit(
                fault=fault,
                at=at,
                listener=exchange.listener,
                exchange=exchange.id,
                call=exchange.call,
                detail=hit.detail,
            )
        )

    def _miss(self, fault: str, reason: str) -> None:
        if fault not in self.account.hit:
            self.account.misses[fault] = reason
            self._around.missed(fault)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = None if self._client_over else self._chain.next_at()
        if due is not None and due != float("inf"):
            self._timer = self._loop.call_later(max(0.0, due - self._now()), self._advance)

    def _balance(self) -> None:
        """Pause the upstream while the client or the faults hold too much, and only then."""
        full = not self._client_over and (self._wire.full or self._chain.held_bytes > self._around.limits.held_bytes)
        if self._asking is not None and full is not self._paused:
            self._paused = full
            (self._asking.pause if full else self._asking.resume)()

    def _end_client(self, how: Ended) -> None:
        sent = self.account.sent
        if sent.tally is not None and sent.tally is not self.account.received.tally:
            sent.tally.flush(self._now())
        sent.end(how, self._now())

    def _client_ended(self) -> None:
        """A fault or the upstream ended the answer. What the upstream still sends is read on, within limits."""
        if self._asking is not None:
            self._balance()
            self._drain_timer = self._loop.call_later(self._around.limits.drain_s, self._hang_up)
        self._finish_if_over()

    def _drained(self, size: int) -> None:
        self._drained_bytes += size
        if self._drained_bytes > self._around.limits.drain_bytes:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
            self.account.received.end("unfinished", self._now())
        self._finish_if_over()

    def _tunnel_ended(self, tunnelled_bytes: int) -> None:
        for side in (self.account.received, self.account.sent):
            side.tunnelled_bytes = tunnelled_bytes
            side.end("end", self._now())
        self._asking = None
        self._finish_if_over()

    def _finish_if_over(self) -> None:
        if self._finished or not self._client_over or self._asking is not None:
            return
        self._finished = True
        for timer in (self._timer, self._drain_timer):
            if timer is not None:
                timer.cancel()
        for fault in self.account.silent:
            self._miss(fault, "the exchange ended before it could act")
        self._around.finished(self)


_HOW_IT_ENDED: dict[str, Ended] = {
    UpstreamFailed.CONNECT: "refused",
    UpstreamFailed.TLS: "refused",
    UpstreamFailed.TIMEOUT: "timeout",
    UpstreamFailed.RESET: "reset",
    UpstreamFailed.INCOMPLETE: "fin",
    UpstreamFailed.PROTOCOL: "reset",
}


def _is_plain(head: AnswerHead) -> bool:
    return (header(head.headers, "content-encoding") or "identity").lower() == "identity"
