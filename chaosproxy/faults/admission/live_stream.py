"""What becomes of an exchange that is open when its link goes down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chaosproxy.events import AT_HEAL, Heal, Hit, Incoming, Miss, Outgoing, Tick, Travelling, moved
from chaosproxy.faults.admission.answer import reset
from chaosproxy.faults.stages import passing


class Live:
    """Cut at once, held back until the heal, or kept."""

    def __init__(self, live_streams: Literal["cut", "stall", "keep"]) -> None:
        self._live_streams = live_streams
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._live_streams == "keep":
            return self._said(Miss(event.at, "open streams are kept"), passing(event))
        if self._live_streams == "cut":
            return self._said(Hit(event.at, "cut by the partition"), [] if self._settled else reset(event.at))
        if isinstance(event, Heal):
            return self._said(Miss(event.at, "nothing was sent while the link was down"), [])
        held = [moved(passed, AT_HEAL) for passed in passing(event)]
        return () if isinstance(event, Tick) else self._said(Hit(event.at, "stalled by the partition"), held)

    def _said(self, said: Hit | Miss, events: Sequence[Travelling]) -> Sequence[Outgoing]:
        if self._settled:
            return events
        self._settled = True
        return [said, *events]
