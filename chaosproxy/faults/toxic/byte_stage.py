"""What the stages of all toxics share: they tell the kinds of events apart and keep the books."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from chaosproxy.events import Abort, End, Frame, Heal, Hit, Incoming, Miss, Outgoing, Tick


class ByteStage:
    """Passes everything. ``missed`` is the reason when it took no effect until the end.

    What a stage holds back waits in the chain's queue, never in itself: so it can be replaced at any moment.
    """

    reads_ahead: ClassVar[bool] = False
    """Whether it keeps up the throughput, and so needs much read while it holds it back."""

    def __init__(self, missed: str) -> None:
        self._missed = missed
        self._said = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if isinstance(event, Frame):
            return self.on_data(event)
        if isinstance(event, Tick):
            return self.on_tick(event.at)
        if isinstance(event, Heal):
            return self._with_miss(event.at, self.on_heal(event.at))
        if isinstance(event, End | Abort):
            return self._with_miss(event.at, self.on_end(event))
        return (event,)

    def on_data(self, frame: Frame) -> Sequence[Outgoing]:
        """A chunk was read."""
        return (frame,)

    def on_tick(self, at: float) -> Sequence[Outgoing]:
        """It was attached, or the moment has come that it asked for."""
        del at
        return ()

    def on_end(self, end: End | Abort) -> Sequence[Outgoing]:
        """The peer sent a FIN or an RST."""
        return (end,)

    def on_heal(self, at: float) -> Sequence[Outgoing]:
        """It is taken away."""
        del at
        return ()

    def hit(self, at: float, words: str, *events: Outgoing) -> Sequence[Outgoing]:
        """``events``, and the report before them when it is the first."""
        if self._said:
            return events
        self._said = True
        return (Hit(at, words), *events)

    def _with_miss(self, at: float, events: Sequence[Outgoing]) -> Sequence[Outgoing]:
        if self._said:
            return events
        self._said = True
        return (Miss(at, self._missed), *events)
