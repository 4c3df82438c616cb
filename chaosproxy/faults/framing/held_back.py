"""Holding an answer back until its length is known."""

from __future__ import annotations

from collections.abc import Sequence

from chaosproxy.events import Frame, Framing, Head, Hit, Incoming, Miss, Outgoing, Travelling, moved
from chaosproxy.faults.base import Stage
from chaosproxy.faults.stages import passing

HELD_BYTES_MAX = 8 * 1024 * 1024
"""The longest answer that is held back; a longer one is passed on and missed."""


class HeldBack:
    """Keeps the answer until ``inner`` cuts it, then sends all with its Content-Length; unchanged when inner misses."""

    def __init__(self, inner: Stage) -> None:
        self._inner = inner
        self._held: list[Head | Frame] = []
        self._bytes = 0
        self._cut = False
        self._missed = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._cut:
            return ()
        if self._missed:
            return passing(event)
        emitted = list(self._inner.feed(event))
        if any(isinstance(said, Hit) for said in emitted):
            self._cut = True
            return [*self._measured(emitted, event.at), *emitted]
        miss = next((said for said in emitted if isinstance(said, Miss)), None)
        return self._hold(event) if miss is None else self._miss(event, miss)

    def _hold(self, event: Incoming) -> Sequence[Outgoing]:
        if not isinstance(event, Head | Frame):
            return passing(event)
        self._bytes += len(event.data) if isinstance(event, Frame) else 0
        if self._bytes > HELD_BYTES_MAX:
            return self._miss(event, Miss(event.at, f"the answer is longer than {HELD_BYTES_MAX} bytes"))
        self._held.append(event)
        return ()

    def _miss(self, event: Incoming, miss: Miss) -> Sequence[Outgoing]:
        self._missed = True
        return [miss, *self._released(event.at), *passing(event)]

    def _measured(self, last: list[Outgoing], at: float) -> list[Travelling]:
        length = self._bytes + sum(len(event.data) for event in last if isinstance(event, Frame))
        return [
            event.framed(Framing.LENGTH, length) if isinstance(event, Head) else event for event in self._released(at)
        ]

    def _released(self, at: float) -> list[Head | Frame]:
        released: list[Head | Frame] = [moved(event, at) for event in self._held]
        self._held.clear()
        return released
