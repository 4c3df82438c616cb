"""conn.cap: only so many exchanges at once; who comes beyond that waits for a seat, or is turned away."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from chaosproxy.events import AT_HEAL, Ask, Exchange, Heal, Hit, Incoming, Miss, Outgoing, Tick, moved
from chaosproxy.faults.admission.answer import reset
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import Instead, passing


class ConnCap(Fault):
    """Let only so many exchanges through at once, like a server whose workers are all busy.

    It counts exchanges that begin while it acts, each until its answer has ended on both sides. Who waits goes on in
    the order of arrival, and at the latest when the lease ends.
    """

    type: ClassVar[str] = "conn.cap"
    room: ClassVar[Room] = Room.TIMING
    symptom: ClassVar[str] = (
        "requests wait in a queue under load, one by one they are as fast as ever; with excess=refuse a connection "
        "reset before any answer"
    )
    timeline: ClassVar[str] = "client    ask\nupstream  (until another has ended) ask h f f end"
    no_neutral: ClassVar[str | None] = "whoever is beyond the cap waits or is reset; within it nothing is done at all"

    connections: Annotated[int, Field(ge=1)] = 1
    """How many at once."""
    excess: Literal["queue", "refuse"] = "queue"
    """queue: one more waits until another ends; refuse: its request is read, then its connection is reset."""

    @property
    def stops_upstream(self) -> bool:
        """Whoever is refused."""
        return self.excess == "refuse"

    def seats_at_once(self) -> int:
        """See ``Capped``."""
        return self.connections

    def lets_wait(self) -> bool:
        """See ``Capped``."""
        return self.excess == "queue"

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """For an exchange without a seat; uses no chance. Its turn is the end of its lease."""
        at_once = f"{self.connections} at once"
        if self.lets_wait():
            return Queued(f"waited for its turn ({at_once})", exchange)
        return Instead(exchange, f"connection reset before any answer ({at_once})", reset)


class Queued:
    """Holds the Ask until it is healed."""

    def __init__(self, detail: str, exchange: Exchange) -> None:
        self._detail = detail
        self._late = exchange.seen.open
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._settled:
            return passing(event)
        if isinstance(event, Tick) and not self._late:
            return ()
        self._settled = True
        if isinstance(event, Ask):
            return [Hit(event.at, self._detail), moved(event, AT_HEAL)]
        return [Miss(event.at, self._reason(event)), *passing(event)]

    def _reason(self, event: Incoming) -> str:
        if self._late:
            return "the request had already been sent"
        if isinstance(event, Heal):
            return "its turn came before the request was complete"
        return "another fault answered first"
