"""conn.slow_accept: it takes long until somebody looks at a new connection."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Self

from chaosproxy.events import Abort, Ask, Exchange, Heal, Hit, Incoming, Miss, Outgoing, Tick, moved
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import passing
from chaosproxy.units import Duration, format_duration


class ConnSlowAccept(Fault):
    """Read the first request of a new connection late, as a server does whose backlog is long.

    The kernel accepts at once, so a connect timeout does not fire. Later requests on the same connection are on time.
    """

    type: ClassVar[str] = "conn.slow_accept"
    room: ClassVar[Room] = Room.TIMING
    symptom: ClassVar[str] = "new connections wait before anything comes; those that are kept alive are as fast as ever"
    timeline: ClassVar[str] = "client    ask\nupstream  ........ ask h f f end"

    hold: Duration = 1.0
    """How long."""

    @classmethod
    def neutral(cls) -> Self:
        """No time."""
        return cls(hold=0.0)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return SlowAccept(self.hold, exchange)


class SlowAccept:
    """Moves the Ask."""

    def __init__(self, hold_s: float, exchange: Exchange) -> None:
        self._hold_s = hold_s
        self._late = exchange.seen.open
        self._first = exchange.opens_connection
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._settled:
            return passing(event)
        if isinstance(event, Tick) and not self._late:
            return ()
        self._settled = True
        if isinstance(event, Ask) and self._first and self._hold_s:
            hit = Hit(event.at, f"accepted {format_duration(self._hold_s)} later")
            return [hit, moved(event, event.at + self._hold_s)]
        return [Miss(event.at, self._reason(event)), *passing(event)]

    def _reason(self, event: Incoming) -> str:
        if self._late:
            return "the request had already been read"
        if isinstance(event, Heal | Abort):
            return "healed before the request was complete"
        return "it lasts no time" if self._first else "the connection was open already"
