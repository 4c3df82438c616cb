"""Connections of a listener whose traffic is not HTTP: bytes both ways, with toxics and partitions between them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Literal, cast
from urllib.parse import urlsplit

from chaosproxy.errors import UserError, shown_url
from chaosproxy.events import Cut
from chaosproxy.faults.toxic.base import Direction
from chaosproxy.journal.traffic import ConnectionRecord, FaultHit
from chaosproxy.plan.plan import Active
from chaosproxy.proxy.capacity import Capacity
from chaosproxy.proxy.certificates import Trust, distrust
from chaosproxy.proxy.hosts import Guest
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.placing import stages_of
from chaosproxy.proxy.tcp.link import Link
from chaosproxy.proxy.tcp.relay import Relay, Side
from chaosproxy.proxy.tcp.upstream import TcpUpstream
from chaosproxy.proxy.timers import Timers
from chaosproxy.proxy.turned_away import ShownOut

Ended = Literal["client", "upstream", "client_reset", "upstream_reset", "fin", "reset", "refused", "unfinished"]


def tcp_address(url: str) -> tuple[str, int]:
    """Host and port of ``tcp://127.0.0.1:6379``, or of tls://. Raises UserError when it is anything else."""
    words = f"expected a TCP upstream such as tcp://127.0.0.1:6379, got {shown_url(url)!r}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UserError(words) from error
    if not host or not port or parts.path or parts.query or parts.fragment or parts.username or parts.password:
        raise UserError(words)
    return host, port


class Passing(Relay):
    """One connection as the journal tells it: its first end counts."""

    def __init__(self, host: TcpHost, number: int, gone: Callable[[Guest], None]) -> None:
        super().__init__(host, number, host.limits, clock=host.clock, timers=host.timers, dial=host.upstream.dial)
        self._connect_s = host.limits.connect_s
        self.began_at = host.clock()
        self.gone = gone
        self.ended: Ended | None = None
        self.error: str | None = None
        self.hits: set[str] = set()

    @property
    def transport(self) -> asyncio.Transport | None:
        """Of the client's socket."""
        return self.client.transport

    @property
    def busy(self) -> bool:
        """Nobody knows whether bytes will come, so it always may be."""
        return True

    def close_when_idle(self) -> None:
        """It never is."""

    def note(self, ended: Ended) -> None:
        """It ended; the first reason counts."""
        if self.ended is None:
            self.ended = ended

    def lost(self, side: Side, exc: BaseException | None) -> None:
        if side is self.client:
            self.note("client" if exc is None else "client_reset")
        else:
            self.note("upstream" if exc is None else "upstream_reset")
        super().lost(side, exc)

    def link_ended(self, link: Link) -> None:
        self.note("client" if link is self.upstream_link else "upstream")
        super().link_ended(link)

    def link_cut(self, link: Link, how: Cut) -> None:
        self.note("fin" if how is Cut.FIN else "reset")
        super().link_cut(link, how)

    def unreached(self, error: OSError | UnicodeError) -> None:
        if isinstance(error, UnicodeError):
            return
        if isinstance(error, TimeoutError):
            words = f"no answer within {self._connect_s:g} s"
        elif isinstance(error, ssl.SSLError):
            words = distrust(error)
        else:
            words = (error.strerror or str(error)).lower()
        self.error = f"connect: {words}"
        self.note("refused")


class TcpHost:
    """Relays to one upstream. ``record`` gets hits and, in the end, each connection; ``token`` stands in their ids."""

    def __init__(
        self,
        listener: str,
        upstream: str,
        limits: Limits,
        trust: Trust,
        *,
        token: str,
        clock: Callable[[], float],
        timers: Timers,
        record: Callable[[FaultHit | ConnectionRecord], None],
    ) -> None:
        self.limits = limits
        self.clock = clock
        self.timers = timers
        self._listener = listener
        host, port = tcp_address(upstream)
        context = trust.for_bytes if upstream.startswith("tls://") else None
        self.upstream = TcpUpstream(f"{host}:{port}", limits, context=context)
        self._token = token
        self._record = record
        self._placed: dict[str, Active] = {}
        self._relays: dict[int, Passing] = {}
        self._closing = False

    @property
    def scheme(self) -> str:
        return "tcp"

    def admit(self, number: int, gone: Callable[[Guest], None]) -> tuple[Guest, asyncio.Protocol]:
        relay = self._relays[number] = Passing(self, number, gone)
        return relay, relay.client

    def turn_away(self, capacity: Capacity) -> asyncio.Protocol:
        return ShownOut(capacity)

    def passed_bytes(self) -> tuple[int, int]:
        links = [(relay.upstream_link, relay.downstream_link) for relay in self._relays.values()]
        return sum(up.sent_bytes for up, _ in links), sum(down.sent_bytes for _, down in links)

    def place(self, acting: Sequence[Active]) -> None:
        before = self._placed
        self._placed = wanted = {active.rule.id: active for active in acting}
        for rule_id, active in before.items():
            if rule_id not in wanted or wanted[rule_id].since != active.since:
                self._heal(rule_id)
        for rule_id, active in wanted.items():
            if rule_id not in before or before[rule_id].since != active.since:
                for relay in tuple(self._relays.values()):
                    self._attach(relay, active, is_open=True)

    def relay_opened(self, relay: Relay) -> None:
        relay = cast(Passing, relay)
        for active in tuple(self._placed.values()):
            self._attach(relay, active, is_open=False)

    def close(self) -> None:
        self._closing = True
        for relay in tuple(self._relays.values()):
            relay.note("unfinished")
            relay.abort()

    def relay_hit(self, relay: Relay, toxic: str, words: str) -> None:
        relay = cast(Passing, relay)
        if toxic in relay.hits:
            return
        relay.hits.add(toxic)
        self._record(
            FaultHit(
                fault=toxic,
                at=self.clock(),
                listener=self._listener,
                connection=self._id(relay),
                detail=words,
            )
        )

    def relay_closed(self, relay: Relay) -> None:
        relay = cast(Passing, relay)
        self._relays.pop(relay.number, None)
        self._record(
            ConnectionRecord(
                id=self._id(relay),
                listener=self._listener,
                number=relay.number,
                began_at=relay.began_at,
                end_at=self.clock(),
                upstream_bytes=relay.upstream_link.sent_bytes,
                downstream_bytes=relay.downstream_link.sent_bytes,
                ended=relay.ended or "unfinished",
                error=relay.error,
            )
        )
        relay.gone(relay)

    def _attach(self, relay: Passing, active: Active, *, is_open: bool) -> None:
        if relay.transport is None:
            return  # its client is on its way
        for direction, stage in stages_of(active, f"{self._listener}#{relay.number}", is_open=is_open):
            relay.link(direction).attach(active.rule.id, stage)

    def _heal(self, rule_id: str) -> None:
        for relay in tuple(self._relays.values()):
            relay.hits.discard(rule_id)
            for direction in Direction:
                relay.link(direction).remove(rule_id)

    def _id(self, relay: Relay) -> str:
        return f"{self._listener}-{self._token}-{relay.number}"
