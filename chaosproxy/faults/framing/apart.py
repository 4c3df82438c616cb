"""Bytes that must not travel together: an event in two writes, with a pause between them."""

from __future__ import annotations

from collections.abc import Sequence

from chaosproxy.events import Frame, Hit, Incoming, Miss, Outgoing, Tick, moved
from chaosproxy.faults.base import Stage
from chaosproxy.faults.stages import split_frame

PAUSE_S = 0.002
"""Long enough for the first half to leave in a packet of its own."""
_SAID = (Tick, Hit, Miss)


def apart(frame: Frame, before: int) -> tuple[Frame, ...]:
    """Its first ``before`` bytes, and the rest a moment later; see ``InOrder``."""
    first, rest = split_frame(frame, before)
    return (*first, *(moved(half, half.at + PAUSE_S) for half in rest)) if first else tuple(rest)


class InOrder:
    """Lets nothing that ``inner`` emits leave before what it emitted earlier."""

    def __init__(self, inner: Stage) -> None:
        self._inner = inner
        self._last_at = 0.0

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        emitted: list[Outgoing] = []
        for each in self._inner.feed(event):
            if isinstance(each, _SAID):
                emitted.append(each)
            else:
                self._last_at = max(self._last_at, each.at)
                emitted.append(moved(each, self._last_at))
        return emitted
