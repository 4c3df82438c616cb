"""How one listener stands at a moment, in numbers that no record has yet: what is open, and what has come so far."""

from __future__ import annotations

from dataclasses import dataclass


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
