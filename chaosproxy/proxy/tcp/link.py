"""One direction of one connection: what is read goes through the chain of toxics to the other side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from chaosproxy.events import RAW, Abort, Cut, End, Frame, Hit, Travelling
from chaosproxy.faults.base import Stage
from chaosproxy.faults.chain import Chain
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.timers import Timer, Timers, moment

_LONGEST_SLEEP_S = 86_400.0
"""The alarm cannot be set for what is nearly never; woken early, it is set again."""


class Sink(Protocol):
    """Where bytes go: a transport, or what stands for one."""

    def write(self, data: bytes, /) -> None:
        """Send."""


class Ends(Protocol):
    """Who carries the connection, and is told what leaves its links besides data."""

    def link_ended(self, link: Link) -> None:
        """A FIN goes on in this direction."""

    def link_cut(self, link: Link, how: Cut) -> None:
        """The whole connection ends."""

    def link_hit(self, toxic: str, words: str) -> None:
        """A toxic took effect."""

    def link_failed(self, link: Link, error: Exception) -> None:
        """Code of a toxic is broken."""


class Link:
    """Without a toxic data goes straight to ``sink``. Times of the chain are seconds since ``began_at_s``.

    ``source`` is paused while the sink is full, or while toxics hold back more than Limits.unread_bytes; with one that
    delays and yet keeps up the throughput, than Limits.held_bytes.
    """

    __slots__ = (
        "_began_at_s",
        "_chain",
        "_clock",
        "_direct",
        "_due_at",
        "_early",
        "_ends",
        "_held_full",
        "_held_limit",
        "_limits",
        "_paused",
        "_sink_full",
        "_timer",
        "_timers",
        "over",
        "received_bytes",
        "sent_bytes",
        "sink",
        "source",
    )

    def __init__(
        self, ends: Ends, limits: Limits, *, clock: Callable[[], float], timers: Timers, began_at_s: float
    ) -> None:
        self._ends: Ends | None = ends  # until it is closed
        self._limits = limits
        self._clock = clock
        self._timers = timers
        self._began_at_s = began_at_s
        self._chain: Chain | None = None
        self._direct = False
        self._early: list[Travelling] = []
        self._timer: Timer | None = None
        self._due_at: float | None = None
        self._held_full = False
        self._held_limit = limits.unread_bytes
        self._sink_full = False
        self._paused = False
        self.over = False
        """Nothing leaves it any more: its FIN has passed, or the connection has ended."""
        self.received_bytes = 0
        self.sent_bytes = 0
        self.source: asyncio.Transport | None = None
        self.sink: Sink | None = None

    def open(self, source: asyncio.Transport | None, sink: Sink) -> None:
        """From now on data has somewhere to go; what has come before goes first."""
        self.source, self.sink = source, sink
        early, self._early = self._early, []
        for event in early:
            self._let_out(event)
        self._set_direct()
        self._set_flow()

    @property
    def full(self) -> bool:
        """Whether its source waits, because the sink or the toxics have enough."""
        return self._held_full or self._sink_full

    # what the source says ---------------------------------------------------------------------------------------------

    def data(self, data: bytes) -> None:
        """A chunk was read."""
        self.received_bytes += len(data)
        if self._direct:
            self.sent_bytes += len(data)
            self.sink.write(data)  # type: ignore[union-attr]  # direct: there is one
        else:
            self._push(Frame(self._now(), data, RAW))

    def eof(self) -> None:
        """The source has sent its FIN."""
        self._push(End(self._now()))

    def reset(self) -> None:
        """The source was reset."""
        self._push(Abort(self._now(), Cut.RESET))

    # what the sink says -----------------------------------------------------------------------------------------------

    def sink_full(self, *, full: bool) -> None:
        """It takes no more for now, or it does again."""
        self._sink_full = full
        self._set_flow()

    # toxics -----------------------------------------------------------------------------------------------------------

    def stage(self, name: str) -> Stage | None:
        """The stage of an attached toxic."""
        return None if self._chain is None else self._chain.stage(name)

    def attach(self, name: str, stage: Stage, before: Collection[str] = ()) -> None:
        """Put a toxic at work, at the end or ahead of those of ``before``."""
        if self.over:
            return
        chain = self._chain = self._chain or Chain()
        self._set_direct()
        self._change(lambda at: chain.attach(name, stage, at, before=before))

    def replace(self, name: str, stage: Stage) -> None:
        """Put a stage in the place of the toxic's one."""
        if (chain := self._chain) is not None:
            self._change(lambda at: chain.replace(name, stage, at))

    def remove(self, name: str) -> None:
        """Take a toxic away: what it delayed is released, and what it swallowed ends the connection."""
        if (chain := self._chain) is not None:
            self._change(lambda at: chain.heal(name, at))

    def stop(self) -> None:
        """Nothing leaves any more, and what is held back is lost."""
        self.over = True
        self._chain = None
        self._direct = False
        self._early.clear()
        self._set_timer(None)

    def close(self) -> None:
        """The connection is over: stop, and let go of all that refers back here."""
        self.stop()
        self._ends = self.source = self.sink = None

    # ------------------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._clock() - self._began_at_s

    def _set_direct(self) -> None:
        self._direct = self._chain is None and self.sink is not None and not self.over

    def _push(self, event: Travelling) -> None:
        if self.over:
            return
        if (chain := self._chain) is None:
            self._let_out(event)
        else:
            self._run(lambda _at: chain.push(event), event.at)

    def _wake(self) -> None:
        self._run(_nothing)

    def _change(self, act: Callable[[float], object]) -> None:
        self._run(act)
        if (chain := self._chain) is not None:
            ahead = any(getattr(stage, "reads_ahead", True) for stage in chain.stages)
            self._held_limit = self._limits.held_bytes if ahead else self._limits.unread_bytes
            self._settle(chain)

    def _run(self, act: Callable[[float], object], now: float | None = None) -> None:
        """Let a change work on the chain, and let out what is due. A broken toxic breaks no other connection."""
        chain, at = self._chain, self._now() if now is None else now
        if chain is None:
            return
        try:
            act(at)
            events = chain.advance(at)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other connections go on
            if self._ends is not None:
                self._ends.link_failed(self, error)
            return
        for report in chain.take_reports():
            if isinstance(report.said, Hit) and self._ends is not None:
                self._ends.link_hit(report.fault_id, report.said.detail)
        for event in events:
            self._let_out(event)
        if self._chain is chain:  # or it has ended meanwhile
            self._settle(chain)

    def _settle(self, chain: Chain) -> None:
        if chain.empty:
            self._chain = None
            self._set_direct()
        self._held_full = chain.held_bytes > self._held_limit
        self._set_flow()
        due_at = chain.next_at()
        if due_at != self._due_at or (self._timer is not None and not self._timer.waits):
            self._set_timer(due_at)

    def _let_out(self, event: Travelling) -> None:
        if self.over:
            return
        if self.sink is None and not isinstance(event, Abort):
            self._early.append(event)
        elif isinstance(event, Frame):
            self.sent_bytes += len(event.data)
            self.sink.write(event.data)  # type: ignore[union-attr]  # an Abort needs none
        elif isinstance(event, End):
            self.stop()
            if self._ends is not None:
                self._ends.link_ended(self)
        elif isinstance(event, Abort):
            self.stop()
            if self._ends is not None:
                self._ends.link_cut(self, event.how)

    def _set_flow(self) -> None:
        paused, source = self.full, self.source
        if paused is self._paused or source is None or source.is_closing():
            return
        self._paused = paused
        if paused:
            source.pause_reading()
        else:
            source.resume_reading()

    def _set_timer(self, due_at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due_at = due_at
        if due_at is None:
            self._timer = None
        else:
            at_s = min(moment(self._began_at_s, due_at), self._clock() + _LONGEST_SLEEP_S)
            self._timer = self._timers.call_at(at_s, self._wake)


def _nothing(at: float) -> None:
    """Only the time has moved on."""
