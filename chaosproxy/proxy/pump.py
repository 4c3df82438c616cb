"""The pump: one exchange between its two edges, driven by their callbacks and by one timer.

    upstream -> tally -+------------- Passage: bytes -------------+-> client
                       +-> frames -> Chain, each out at its at ---+

While no fault is attached the bytes go straight through, as they came. The tally knows where the frames end all the
same, so a chain can be attached or taken away at any frame boundary: the pump chooses the way that is in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Abort, Ask, Cut, End, Exchange, Frame, Head, Terminal, Travelling, Unframed
from chaosproxy.plan.decision import Decision
from chaosproxy.proxy.account import ENDED_BY, Account
from chaosproxy.proxy.client_side import ClientSide
from chaosproxy.proxy.containment import contained
from chaosproxy.proxy.edges import AnswerHead, AskUpstream, ChunkTaker, ClientWire, Pipe
from chaosproxy.proxy.event_tally import is_streamed, tally_of
from chaosproxy.proxy.headers import by_name
from chaosproxy.proxy.message_tunnel import MessageTunnel
from chaosproxy.proxy.own_answer import own_answer
from chaosproxy.proxy.retry_after import retry_after_s
from chaosproxy.proxy.surroundings import Surroundings
from chaosproxy.proxy.timed_chain import TimedChain
from chaosproxy.proxy.tunnel import Tunnel
from chaosproxy.proxy.unpacking import coding_of, unpacked
from chaosproxy.proxy.upstream_side import UpstreamSide
from chaosproxy.proxy.ways import Chained, ChunkPassage, Draining, Embarking, Landing, Passage, Way, passage
from chaosproxy.wire.dialects.base import Dialect

Decide = Callable[[Exchange], Decision | None]

TOO_LATE = "the exchange ended before it could act"


class Pump:
    """Carries one exchange. ``ask`` sends its request to the upstream."""

    def __init__(
        self,
        account: Account,
        dialect: Dialect,
        wire: ClientWire,
        ask: AskUpstream,
        around: Surroundings,
    ) -> None:
        self.account = account
        self._dialect = dialect
        self._around = around
        self._client = ClientSide(wire, account)
        self._upstream = UpstreamSide(ask, around.limits, self._hung_up)
        self._chain = TimedChain(account, around, let_out=self._let_out, on_full=self._balance, wake=self._wake)
        self.chunks: ChunkTaker | None = None
        self._way: Way = Passage(account.received, self._client)
        self._diverged = False  # a fault was attached at some time, so the edges may differ
        self._waiting: dict[str, Decide] = {}  # faults that begin at the next frame boundary
        self._tunnel: Tunnel | MessageTunnel | None = None
        self._finished = False

    # what the proxy tells it -----------------------------------------------------------------------------------------

    def start(self, decide: Callable[[], Iterable[Decision]]) -> None:
        """Begin with what the plan decides about this exchange."""
        self._decide(decide)
        self._client.wire.own(self)
        if not self._client.over:
            self._ask()

    @contained
    def attach(self, rule_id: str, decide: Decide) -> None:
        """A fault began to act while this exchange is open; ``decide`` is asked at the next frame boundary."""
        if self._client.over or self._tunnel is not None:
            return
        self._waiting[rule_id] = decide
        self._client.separate()
        if self._way.at_boundary:
            self._attach_waiting()
            self._chain.advance(self._now())
        else:
            self._take(Embarking(self.account.received, self._client, self._embark))

    @contained
    def heal(self, rule_id: str) -> None:
        """A fault ceased to act."""
        self._waiting.pop(rule_id, None)
        if self._client.over:
            return
        self._chain.heal(rule_id, self._now())
        if self._tunnel is None and self._chain.empty and isinstance(self._way, Chained):
            half = self.account.received.tally.pending
            self._take(Landing(self.account.received, self._land) if half else self._passage())

    def stop(self) -> None:
        """The proxy ends: hang up on both sides."""
        if self._tunnel is not None:
            self._tunnel.close()
        elif not self._client.over:
            self._client.abort(Cut.FIN, self._now(), "unfinished")
        self._upstream.hang_up()
        self._finish_if_over()

    # what the upstream tells it --------------------------------------------------------------------------------------

    @contained
    def upstream_head(self, head: AnswerHead) -> None:
        at, received = self._now(), self.account.received
        packed_as: str | None = None
        if any(decision.edits_frames for decision in self.account.attached.values()) and (coding := coding_of(head)):
            packed_as = self._upstream.unpack(coding, self)
            head = unpacked(head) if packed_as is None else head
        fields = by_name(head.headers)
        streamed = is_streamed(self._dialect, fields)
        event = Head(at, head.status, head.reason, head.headers, head.framing, streamed, packed_as)
        received.status, received.head_at = head.status, at
        received.retry_after_s = retry_after_s(fields, self._around.wall())
        received.tally = tally_of(self._dialect, event, fields, self._around.limits.answer_bytes)
        self._push(event)

    def upstream_data(self, data: bytes) -> None:
        try:  # as ``contained``, one call less for each event
            self._way.carry(data, self._around.clock() - self.account.began_at)
        except Exception as error:  # noqa: BLE001
            self.failed(error)

    @contained
    def upstream_end(self) -> None:
        at = self._now()
        self.account.received.end("end", at)
        self._upstream.ended()
        self._push_end(End(at))

    @contained
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
        self._open_tunnel(head, self._client.wire.upgrade(head), pipe)

    # what the client tells it ----------------------------------------------------------------------------------------

    def wire_filled(self) -> None:
        self._balance()

    def wire_drained(self) -> None:
        self._balance()

    def wire_rerouted(self) -> None:
        if isinstance(self._way, ChunkPassage):
            self._take(self._passage())

    def client_gone(self) -> None:
        self._client.leave("gone", self._now())
        self._upstream.hang_up()
        self._finish_if_over()

    def failed(self, error: Exception) -> None:
        """End this exchange: with a 500 of ours if nothing was sent yet, else by cutting it off."""
        self._around.failed(self.account, error)
        if self._tunnel is not None:
            self._tunnel.close()
            return
        self._chain.drop()
        self._take(Draining(self.account.received, self._upstream.drained))
        self._upstream.hang_up()
        if self._client.silent:
            self.account.error = "internal: a fault failed"
            for event in own_answer(500, "internal", "a fault failed, see the log", self._now()):
                self._let_out(event, event.at)
        else:
            self.stop()

    # inside ----------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._around.clock() - self.account.began_at

    def _take(self, way: Way) -> None:
        self._way = way
        self.chunks = way if isinstance(way, ChunkPassage) else None

    def _passage(self) -> Passage:
        return passage(self.account, self._client, self._around.clock, self.failed, alike=not self._diverged)

    @contained
    def _decide(self, decide: Callable[[], Iterable[Decision]]) -> None:
        for decision in decide():
            self._attach(decision)

    @contained
    def _ask(self) -> None:
        self._push(Ask(self._now()))

    def _push(self, *events: Travelling) -> None:
        """Bring events that are not of the upstream's body to the client, through the chain if there is one."""
        if self._client.over:
            self._finish_if_over()
        elif self._chain.empty:
            for event in events:
                self._let_out(event, event.at)
        else:
            self._chain.push(events, events[-1].at)

    def _push_end(self, end: Terminal) -> None:
        self._way.end(end.at)
        self._push(end)

    def _attach_waiting(self) -> None:
        """At a frame boundary: ask the plan about the faults that began meanwhile."""
        waiting, self._waiting = self._waiting, {}
        exchange = replace(self.account.exchange, seen=replace(self._client.seen, open=True))
        for decide in waiting.values():
            if (decision := decide(exchange)) is not None:
                self._attach(decision)
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
        self._take(Chained(self.account.received, self._chain.push))

    def _embark(self, frames: list[Frame], rest: bytes, at: float) -> None:
        self._take(self._passage())
        self._attach_waiting()
        if self._chain.empty:
            self._client.data(rest, at)
        else:
            self._chain.push(frames, at)

    def _land(self, data: bytes, at: float) -> None:
        self._take(self._passage())
        self._client.data(data, at)

    @contained
    def _wake(self) -> None:
        self._chain.advance(self._now())

    def _let_out(self, event: Travelling, at: float) -> None:
        if isinstance(event, Frame):
            self._client.frame(event, at)
            return
        match event:
            case Ask(_, without):
                self.account.asked_at = at
                self._upstream.ask(self, without)
            case Head():
                self._send_head(event, at)
            case Unframed(_, data):
                self._client.unframed(data)
            case End():
                self._client.end(at)
            case Abort(_, how):
                self._client.abort(how, at)
        if self._client.over:
            self._chain.drop()
            self._take(Draining(self.account.received, self._upstream.drained))
            self._upstream.drain()
            self._finish_if_over()

    def _send_head(self, head: Head, at: float) -> None:
        received = self.account.received
        if isinstance(self._way, Passage) and received.head_at is not None:
            self._client.head(head, at, received.retry_after_s, received.tally)
            self._take(self._passage())
            return
        fields = by_name(head.headers)
        tally = tally_of(self._dialect, head, fields, self._around.limits.answer_bytes)
        self._client.head(head, at, retry_after_s(fields, self._around.wall()), tally)

    def _balance(self) -> None:
        self._upstream.balance(full=not self._client.over and (self._client.wire.full or self._chain.full))

    def _hung_up(self) -> None:
        self.account.received.end("unfinished", self._now())
        self._finish_if_over()

    def _open_tunnel(self, head: AnswerHead, client: Pipe, upstream: Pipe) -> None:
        """Raw, unless a fault on messages is at work; the other faults have nothing to do any more."""
        stay = [rule_id for rule_id, decision in self.account.attached.items() if decision.on_messages]
        for rule_id in self.account.silent:
            if rule_id not in stay:
                self._around.miss(self.account, rule_id, "the connection was upgraded")
        self._chain.keep(stay)
        if self._chain.empty:
            self._tunnel = Tunnel(client, upstream, self._tunnel_ended)
            return
        self._tunnel = messages = MessageTunnel(
            self._chain,
            self._around,
            (client, upstream),
            self.account.began_at,
            on_end=self._tunnel_ended,
            failed=self.failed,
        )
        messages.start(Head(self._now(), head.status, head.reason, head.headers, head.framing))

    def _tunnel_ended(self, received_bytes: int, sent_bytes: int) -> None:
        self._upstream.ended()
        self.account.received.tunnelled_bytes = received_bytes
        self.account.sent.tunnelled_bytes = sent_bytes
        for side in (self.account.received, self.account.sent):
            side.end("end", self._now())
        self._finish_if_over()

    def _finish_if_over(self) -> None:
        if self._finished or not self._client.over or self._upstream.under_way:
            return
        self._finished = True
        self._chain.drop()
        self._around.miss_silent(self.account, TOO_LATE)
        for fault in self._waiting:
            self.account.misses.setdefault(fault, TOO_LATE)
        self._around.finished(self.account)
        self._untie()

    def _untie(self) -> None:  # what refers back here: all is freed at once, without the garbage collector
        self._tunnel = None
        self._upstream.untie()
        self._chain.untie()
        self._take(Draining(self.account.received, self._upstream.drained))
