"""A connection of ours with toxics on it: between its socket and whoever reads and writes it, at any time of its life.

    socket  ->  Poisoned  ->  upstream link   ->  inner
    socket  <-  Poisoned  <-  downstream link <-  Face  <-  inner

The socket is a real one, so an RST is an RST. The inner protocol sees a transport like any other: pauses, FIN and close
pass through the toxics, as the bytes do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, cast

import structlog

from chaosproxy.events import Cut
from chaosproxy.faults.base import Stage
from chaosproxy.faults.toxic.base import Direction
from chaosproxy.proxy.client_wire import reset
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.plain_traceback import plain_traceback
from chaosproxy.proxy.secure_transport import Tearable
from chaosproxy.proxy.tcp.face import Door, Face, Outlet
from chaosproxy.proxy.tcp.link import Link
from chaosproxy.proxy.timers import Timers

log = structlog.get_logger()

_NOBODY = asyncio.Protocol()

FAREWELL_S = 1.0
"""How long a socket whose FIN was sent is read on: closing it with unread bytes would send an RST instead."""
UNSENT_S = 5.0
"""How long it may take after that to send what a slow client has not taken."""


class Owner(Protocol):
    """Whose connection it is: one that speaks HTTP, or one that only passes bytes on."""

    poisoned: Poisoned | None

    @property
    def full(self) -> bool:
        """Whether its transport has asked it to write no more for now."""

    @property
    def reading(self) -> bool:
        """Whether it has not asked its transport to read no more for now."""

    def reroute(self, transport: asyncio.Transport) -> None:
        """Write to another transport from now on."""


class Witness(Protocol):
    """Who wants to know what becomes of the bytes; totals count from when the toxics came."""

    def written(self, total: int) -> None:
        """So many bytes were written for the client."""

    def delivered(self, total: int) -> None:
        """So many of them were given to the socket."""

    def hit(self, rule_id: str, direction: Direction, words: str) -> None:
        """A toxic took effect."""

    def lost(self) -> None:
        """The connection is over."""


class Poisoned(asyncio.Protocol):
    """One poisoned connection: the protocol of its socket. ``forget`` is called when it needs no more care."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        timers: Timers,
        limits: Limits,
        forget: Callable[[Poisoned], None],
    ) -> None:
        self.inner = _NOBODY
        """Who reads and writes: its owner, until that hands the connection on."""
        self.cut: Cut | None = None
        """How a toxic ended it."""
        self.witness: Witness | None = None
        self._owner: Owner | None = None
        self._forget = forget
        self._rules: dict[str, Direction] = {}
        self._outer: asyncio.Transport | None = None
        self._up = Link(self, limits, clock=clock, timers=timers, began_at_s=clock())
        self._down = Link(self, limits, clock=clock, timers=timers, began_at_s=clock())
        self._door = Door(self)
        self._outlet = Outlet(self)
        self._closing = False
        self._fin_sent = False
        self._torn = False  # that FIN comes without the words that TLS has for it
        self._gone = False  # the inner protocol knows that all is over

    # what the listener tells it ---------------------------------------------------------------------------------------

    def take_over(self, owner: Owner, real: asyncio.Transport) -> None:
        """Step between an open connection's socket and its protocol."""
        self.inner = cast(asyncio.Protocol, real.get_protocol())
        self._outer = real
        self._owner = owner
        owner.poisoned = self
        self._up.open(real, self._door)
        self._down.open(cast(asyncio.Transport, self._outlet), self._outlet)
        if owner.full:
            self._outlet.full = True
            self._down.sink_full(full=True)
        if not owner.reading:  # a transport of uvloop's says so too while it is new
            self.read(wanted=False)
        real.set_protocol(self)
        owner.reroute(Face(self))

    def step_aside(self) -> None:
        """Give the socket back, when no toxic is left and nothing is held."""
        owner, real = self._owner, self._outer
        if owner is None or real is None or self._gone or self._closing or self._rules or self._door.waits:
            return
        if self._down.received_bytes > self._down.sent_bytes or self._down.over or self._up.over:
            return
        owner.poisoned = None
        real.set_protocol(self.inner)
        owner.reroute(real)
        self._let_go()
        self._forget(self)

    def attach(self, rule_id: str, stage: Stage, direction: Direction) -> None:
        """A toxic begins."""
        if not self._gone:
            self._rules[rule_id] = direction
            self._link(direction).attach(rule_id, stage)

    def heal(self, rule_id: str) -> None:
        """A toxic ends; what it held goes on."""
        if rule_id in self._rules:
            self._link(self._rules[rule_id]).remove(rule_id)
            del self._rules[rule_id]

    @property
    def rules(self) -> tuple[str, ...]:
        """Those at work here."""
        return tuple(self._rules)

    def acts_on(self, rule_id: str, direction: Direction) -> bool:
        """Whether a rule is at work in that direction."""
        return self._rules.get(rule_id) is direction

    def abort(self) -> None:
        """End it at once, with whatever it holds."""
        if self._outer is not None:
            self._outer.abort()

    # what the socket tells it -----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if not self._closing and not self._gone:
            self._up.data(data)

    def eof_received(self) -> bool:
        """True keeps the socket open for what it is still to get."""
        if self._gone or self._closing:
            return False
        self._up.eof()
        return self.has_fin and not self._closing

    def pause_writing(self) -> None:
        self._outlet.full = True
        self._down.sink_full(full=True)

    def resume_writing(self) -> None:
        self._outlet.full = False
        self._outlet.settle()

    def connection_lost(self, exc: Exception | None) -> None:
        self._outer = None
        self._end(exc)
        self._forget(self)

    # what the inner protocol tells its transport ----------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Bytes for the client."""
        if self._gone or self._fin_sent or not data:
            return
        if self.witness is not None:
            self.witness.written(self._down.received_bytes + len(data))
        self._down.data(bytes(data))

    def write_eof(self) -> None:
        """A FIN for the client."""
        if not self._gone:
            self._down.eof()

    def tear(self) -> None:
        """A FIN for the client, as from a plug that was pulled."""
        self._torn = True
        self.write_eof()

    def close(self) -> None:
        """The end, after what was written."""
        if self._closing or self._gone:
            return
        self._closing = True
        if self._outer is not None:
            self._outer.resume_reading()  # to see the client leave; what it sends is nobody's
        if self._fin_sent:
            self._close_socket()
        else:
            self._down.eof()

    @property
    def closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._closing or self._gone

    def read(self, *, wanted: bool) -> None:
        """Whether the inner protocol wants to read."""
        if wanted:
            self._door.open()
        else:
            self._door.shut = True
        self._up.sink_full(full=not wanted)

    @property
    def reading(self) -> bool:
        """Whether the inner protocol wants to read."""
        return not self._door.shut

    def limit(self, high: int | None) -> None:
        """The inner protocol wants to hear of more than ``high`` unsent bytes; 0: of any."""
        if self._outer is not None:
            self._outer.set_write_buffer_limits(high)
        self._outlet.eager = high == 0
        self._outlet.settle()

    @property
    def unsent_bytes(self) -> int:
        """Held by toxics and by the socket."""
        return self.held_bytes + (0 if self._outer is None else self._outer.get_write_buffer_size())

    @property
    def held_bytes(self) -> int:
        """Written, and not given to the socket."""
        return 0 if self._down.over else self._down.received_bytes - self._down.sent_bytes

    @property
    def has_fin(self) -> bool:
        """Whether one side can end before the other."""
        return self._outer is not None and self._outer.can_write_eof()

    def socket_info(self, name: str, default: Any) -> Any:
        """What the socket knows."""
        return default if self._outer is None else self._outer.get_extra_info(name, default)

    # what its links tell it -------------------------------------------------------------------------------------------

    def link_ended(self, link: Link) -> None:
        if link is self._up:
            self._door.end()
            return
        self._fin_sent = True
        if self._closing:
            self._close_socket()
        elif self._outer is not None:
            _send_fin(self._outer, torn=self._torn)

    def link_cut(self, link: Link, how: Cut) -> None:
        """A toxic ends the connection: the inner protocol loses it now, the client as soon as it is sent."""
        del link
        real = self._outer
        if self._gone or real is None:
            return
        self.cut, self._closing = how, True
        if how is Cut.RESET:
            reset(real)
            self._end(ConnectionResetError("reset by a toxic"))
            return
        if not self._fin_sent:
            _send_fin(real, torn=True)
        if not real.is_closing():
            real.resume_reading()
        loop = asyncio.get_running_loop()
        loop.call_later(FAREWELL_S, real.close)
        loop.call_later(FAREWELL_S + UNSENT_S, real.abort)
        self._end(None)

    def link_hit(self, toxic: str, words: str) -> None:
        if self.witness is not None:
            self.witness.hit(toxic, self._rules.get(toxic, Direction.DOWNSTREAM), words)

    def link_failed(self, link: Link, error: Exception) -> None:
        """Code of a toxic is broken: this connection ends, no other."""
        log.error("toxic_failed", stack=plain_traceback(error))
        self.link_cut(link, Cut.RESET)

    # inside ----------------------------------------------------------------------------------------------------------

    def out(self, data: bytes) -> None:
        """From the downstream link: to the socket."""
        if self._outer is None or self._gone:
            return
        self._outer.write(data)
        if self.witness is not None:
            self.witness.delivered(self._down.sent_bytes)
        self._outlet.settle()

    def sink_full(self, *, full: bool) -> None:
        """From the outlet: whether the socket takes no more."""
        self._down.sink_full(full=full)

    def _link(self, direction: Direction) -> Link:
        return self._up if direction is Direction.UPSTREAM else self._down

    def _close_socket(self) -> None:
        if self._outer is not None:
            self._outer.close()

    def _end(self, exc: Exception | None) -> None:
        if self._gone:
            return
        inner, witness = self.inner, self.witness
        self._let_go()
        if witness is not None:
            witness.lost()
        inner.connection_lost(exc)

    def _let_go(self) -> None:
        """It stands between no more. What refers back here would wait for the garbage collector, which comes rarely,
        and all requests and answers of the connection with it.
        """
        self._gone = True
        self._up.close()
        self._down.close()
        self._door.forget()
        self._outlet.forget()
        self.inner, self.witness, self._owner = _NOBODY, None, None


def _send_fin(real: asyncio.Transport, *, torn: bool) -> None:
    if real.is_closing():
        return
    if torn and isinstance(real, Tearable):
        real.tear()
    else:
        real.write_eof()
