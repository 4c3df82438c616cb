"""A port in front of a TCP upstream, with toxics on its connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from chaosproxy.dice import Dice
from chaosproxy.errors import BadValue
from chaosproxy.events import Cut
from chaosproxy.faults.base import Gate, Stage
from chaosproxy.faults.toxic.base import Direction, Toxic
from chaosproxy.proxy.capacity import Capacity
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.tcp.port import Port, listening
from chaosproxy.proxy.tcp.relay import Relay
from chaosproxy.proxy.tcp.upstream import TcpUpstream
from chaosproxy.proxy.timers import Timer, Timers

SHUTDOWN_S = 0.05
"""How long a stop waits for connections that end at once, as they do when their peers read."""


@dataclass(slots=True, eq=False)
class PlacedToxic:
    """A toxic in its place on a proxy. ``until`` is the end of its lease, in seconds of the proxy's clock.

    ``hits`` counts the connections on which it took effect.
    """

    name: str
    toxic: Toxic
    hits: int = 0
    until: float | None = None
    revision: int = field(default=0, repr=False)
    """Counts updates: each draws its chance anew."""
    lease: Timer | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes in one direction: read from the one side, and written to the other."""

    received_bytes: int = 0
    sent_bytes: int = 0


class TcpProxy:
    """Lives in one event loop. Its toxics can change at any moment, for open connections too, and wait for no peer.

    ``listen`` is the address as resolved, once it is started; ``upstream`` is looked up when a connection needs it.
    ``enabled`` says that the port is open. ``on_hit`` is told the toxic's name, the number of the connection, and what
    happened in words.
    """

    def __init__(  # noqa: PLR0913 - what it is, what it lives on, and whom it tells
        self,
        name: str,
        listen: str,
        upstream: str,
        *,
        clock: Callable[[], float],
        timers: Timers,
        dice: Dice,
        on_hit: Callable[[str, int, str], None] = lambda _toxic, _connection, _words: None,
        on_closed: Callable[[Relay], None] = lambda _relay: None,
        limits: Limits | None = None,
        client_tls: ssl.SSLContext | None = None,
        upstream_tls: ssl.SSLContext | None = None,
        upstream_name: str | None = None,
    ) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self._clock = clock
        self._timers = timers
        self._dice = dice
        self._on_hit = on_hit
        self._on_closed = on_closed
        self._limits = limits or Limits()
        self._client_tls = client_tls
        self._upstream_tls = upstream_tls
        self._upstream_name = upstream_name
        self._capacity = Capacity(self._limits.connections)
        self._port: Port | None = None
        self._target = self._new_target()
        self._placed: dict[str, PlacedToxic] = {}
        self._relays: dict[int, Relay] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._numbers = 0
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._closed_traffic = {direction: Traffic() for direction in Direction}

    # the port ---------------------------------------------------------------------------------------------------------

    @property
    def enabled(self) -> bool:
        """Whether it is started."""
        return self._port is not None

    async def start(self) -> None:
        """Open the port; nothing when it is open. Raises CannotListen."""
        if self._port is not None:
            return
        port = Port(await listening(self.listen), self._accept, self._is_crowded)
        self._target = self._new_target()
        self._port = port
        self.listen = port.address
        self._set_gate()

    async def stop(self) -> None:
        """Close the port and all connections, with a FIN; those that do not take it are aborted a little later."""
        port, self._port = self._port, None
        if port is None:
            return
        port.close()
        for opening in self._opening:
            opening.cancel()
        left = list(self._relays.values())
        for relay in left:
            relay.cut(Cut.FIN)
        try:
            await asyncio.wait_for(self._nobody.wait(), SHUTDOWN_S)
        except TimeoutError:
            asyncio.get_running_loop().call_later(self._limits.stop_s, _abort, left)

    async def rebind(self, listen: str, upstream: str) -> None:
        """Another address or upstream: all connections end, toxics stay. Raises CannotListen; then it is stopped."""
        was_enabled = self.enabled
        await self.stop()
        self.listen, self.upstream = listen, upstream
        if was_enabled:
            await self.start()

    # toxics -----------------------------------------------------------------------------------------------------------

    @property
    def toxics(self) -> tuple[PlacedToxic, ...]:
        """Those of the upstream direction first, each in the order in which they were added."""
        placed = self._placed.values()
        return tuple(sorted(placed, key=lambda each: each.toxic.direction is not Direction.UPSTREAM))

    def add(self, name: str, toxic: Toxic, lease_s: float | None = None) -> PlacedToxic:
        """Put a toxic in place, for open connections too; with a lease it ends by itself. Raises BadValue."""
        if name in self._placed:
            raise BadValue(f"{self.name} has a toxic {name!r} already")
        placed = self._placed[name] = PlacedToxic(name, toxic)
        if lease_s is not None:
            placed.until = self._clock() + lease_s
            placed.lease = self._timers.call_at(placed.until, partial(self._expire, placed))
        self._set_gate()
        for relay in tuple(self._relays.values()):
            self._poison(relay, placed)
        return placed

    def update(self, name: str, toxic: Toxic) -> PlacedToxic:
        """Other settings for a toxic, whose direction stays. Raises KeyError."""
        placed = self._placed[name]
        placed.toxic = toxic.model_copy(update={"direction": placed.toxic.direction})
        placed.revision += 1
        self._set_gate()
        later = self._after(placed)
        for relay in tuple(self._relays.values()):
            link = relay.link(placed.toxic.direction)
            carried = link.stage(name)
            stage = self._draw(relay, placed, carried)
            if stage is None:
                link.remove(name)
            elif carried is None:
                link.attach(name, stage, later)
            else:
                link.replace(name, stage)
        return placed

    def remove(self, name: str) -> None:
        """Take a toxic away, from open connections too. Raises KeyError."""
        placed = self._placed.pop(name)
        if placed.lease is not None:
            placed.lease.cancel()
        self._set_gate()
        for relay in tuple(self._relays.values()):
            relay.link(placed.toxic.direction).remove(name)

    # numbers ----------------------------------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """Open ones."""
        return len(self._relays)

    def traffic(self, direction: Direction) -> Traffic:
        """Of all connections, open ones included."""
        closed = self._closed_traffic[direction]
        links = [relay.link(direction) for relay in self._relays.values()]
        return Traffic(
            closed.received_bytes + sum(link.received_bytes for link in links),
            closed.sent_bytes + sum(link.sent_bytes for link in links),
        )

    # what the relays say ----------------------------------------------------------------------------------------------

    def relay_opened(self, relay: Relay) -> None:
        """Its client is there."""
        self._relays[relay.number] = relay
        self._nobody.clear()
        for placed in self.toxics:
            self._poison(relay, placed)

    def relay_hit(self, relay: Relay, toxic: str, words: str) -> None:
        """A toxic took effect on a connection."""
        if (placed := self._placed.get(toxic)) is not None:
            placed.hits += 1
        self._on_hit(toxic, relay.number, words)

    def relay_closed(self, relay: Relay) -> None:
        """Count it out."""
        del self._relays[relay.number]
        self._capacity.left()
        for direction, closed in self._closed_traffic.items():
            link = relay.link(direction)
            self._closed_traffic[direction] = Traffic(
                closed.received_bytes + link.received_bytes, closed.sent_bytes + link.sent_bytes
            )
        if not self._relays:
            self._nobody.set()
        self._on_closed(relay)

    # ------------------------------------------------------------------------------------------------------------------

    def _new_target(self) -> TcpUpstream:
        return TcpUpstream(self.upstream, self._limits, context=self._upstream_tls, server_name=self._upstream_name)

    def _is_crowded(self) -> bool:
        return self._capacity.crowded

    def _accept(self, accepted: socket.socket) -> None:
        if not self._capacity.admit(accepted.fileno()):
            self._capacity.turned_away()
            accepted.close()
            return
        opening = asyncio.get_running_loop().create_task(self._open(accepted))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _open(self, accepted: socket.socket) -> None:
        self._numbers += 1
        relay = Relay(self, self._numbers, self._limits, clock=self._clock, timers=self._timers, dial=self._target.dial)
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: relay.client, accepted, ssl=self._client_tls)
        except OSError:  # the client left during the TLS handshake, or does not speak TLS
            accepted.close()
        except asyncio.CancelledError:
            if not relay.opened:
                accepted.close()
            raise
        finally:
            if not relay.opened:
                self._capacity.left()

    def _poison(self, relay: Relay, placed: PlacedToxic) -> None:
        stage = self._draw(relay, placed)
        if stage is not None:
            relay.link(placed.toxic.direction).attach(placed.name, stage)

    def _draw(self, relay: Relay, placed: PlacedToxic, carried: Stage | None = None) -> Stage | None:
        revision = f":{placed.revision}" if placed.revision else ""
        key = f"{relay.number}:{placed.toxic.direction.value}{revision}"
        return placed.toxic.link_stage(self._dice.throw(placed.name, key), carried)

    def _after(self, placed: PlacedToxic) -> list[str]:
        names = list(self._placed)
        return names[names.index(placed.name) + 1 :]

    def _expire(self, placed: PlacedToxic) -> None:
        if self._placed.get(placed.name) is placed:
            self.remove(placed.name)

    def _set_gate(self) -> None:
        if self._port is None:
            return
        if any(placed.toxic.gate() is Gate.REFUSE for placed in self._placed.values()):
            self._port.refuse()
        else:
            self._port.listen()


def _abort(relays: list[Relay]) -> None:
    for relay in relays:
        relay.abort()
