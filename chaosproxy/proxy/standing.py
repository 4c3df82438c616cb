"""How one listener stands at a moment, in numbers that no record has yet: what is open, and what has come so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chaosproxy.events import Exchange
from chaosproxy.proxy.hosts import Host
from chaosproxy.proxy.listener import Listener


@dataclass(frozen=True, slots=True)
class Standing:
    """``opened`` counts all exchanges since the start, ``open`` those without a record yet, ``open_streams`` of these.

    Connections likewise; bytes are those that the open connections of a TCP listener have passed on.
    """

    listener: str
    is_tcp: bool
    opened: int
    open: int
    open_streams: int
    connections_opened: int
    connections_open: int
    upstream_bytes: int = 0
    downstream_bytes: int = 0


def standing_of(listener: Listener, host: Host, arrivals: int, exchanges: Sequence[Exchange]) -> Standing:
    """Of one listener; ``exchanges`` are the open ones of all."""
    name = listener.spec.name
    here = [exchange for exchange in exchanges if exchange.listener == name]
    upstream_bytes, downstream_bytes = host.passed_bytes()
    connections_opened, connections_open = listener.connections
    return Standing(
        listener=name,
        is_tcp=listener.spec.is_tcp,
        opened=arrivals,
        open=len(here),
        open_streams=sum(1 for exchange in here if exchange.stream),
        connections_opened=connections_opened,
        connections_open=connections_open,
        upstream_bytes=upstream_bytes,
        downstream_bytes=downstream_bytes,
    )
