"""Faults that act at the end of a whole body, under a head that lets them."""

from __future__ import annotations

from collections.abc import Sequence

from chaosproxy.events import Abort, End, Exchange, Framing, Head, Heal, Incoming, Miss, Outgoing
from chaosproxy.faults.stages import Reframe, announced, passing


class AtBodyEnd:
    """Puts something in the place of the End. ``reframe``: the head under which a client can notice it."""

    def __init__(self, exchange: Exchange, reframe: Reframe) -> None:
        self._seen = exchange.seen
        self._reframe = reframe
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._settled:
            return passing(event)
        miss = announced(self._seen, self._reframe, event)
        reason = miss.reason if miss is not None else self.why_not(event)
        if reason is not None:
            self._settled = True
            return [Miss(event.at, reason), *passing(event)]
        if isinstance(event, Head):
            return (self._reframe(event),)
        if isinstance(event, End):
            self._settled = True
            return self.ending(event.at)
        return passing(event)

    def why_not(self, event: Incoming) -> str | None:
        """Why it cannot act any more, or None."""
        match event:
            case Head(framing=Framing.EMPTY):
                return "the answer has no body"
            case Abort():
                return "the answer ended uncleanly by itself"
            case Heal():
                return "healed before the answer ended"
        return None

    def ending(self, at: float) -> Sequence[Outgoing]:
        """The hit, and what comes in the place of the End."""
        raise NotImplementedError
