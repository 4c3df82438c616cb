"""stream.length: a Content-Length that does not fit the body."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Self

from chaosproxy.events import Abort, End, Exchange, Frame, Framing, Head, Heal, Hit, Incoming, Miss, Outgoing, moved
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.framing.held_back import HELD_BYTES_MAX
from chaosproxy.faults.stages import passing


class StreamLength(Fault):
    """Announce a longer or a shorter body than the one that comes, like a proxy that edits bodies and not heads.

    An answer without a length is held back until its end, because its length must be known first. The connection
    closes after the answer.
    """

    type: ClassVar[str] = "stream.length"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = (
        "too short: the end of the answer is missing, and no client raises an error; too long: an incomplete read"
    )
    timeline: ClassVar[str] = "upstream  h(6) f f f f f f end\nclient    h(4) f f f f f f FIN    (delta=-2)"

    delta: int = -10
    """Bytes that are announced more (positive) or less (negative) than there are."""

    @classmethod
    def neutral(cls) -> Self:
        """The right length."""
        return cls(delta=0)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Miscounted(self.delta, exchange)


class Miscounted:
    """Changes the length in the head, for which it may have to hold the answer back."""

    def __init__(self, delta: int, exchange: Exchange) -> None:
        self._delta = delta
        self._begun = exchange.seen.head is not None
        self._held: list[Head | Frame] = []
        self._bytes = 0
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._settled:
            return passing(event)
        if isinstance(event, Head):
            return self._begin(event)
        if isinstance(event, Frame) and self._held:
            return self._hold(event)
        if isinstance(event, End) and self._held:
            self._settled = True
            return [*self._measured(event.at), event]
        if self._begun:
            return self._miss(event, "the head had already announced how the body ends")
        if isinstance(event, End | Abort | Heal):
            return self._miss(event, "the answer did not come to its end")
        return passing(event)

    def _begin(self, head: Head) -> Sequence[Outgoing]:
        if self._delta == 0:
            return self._miss(head, "the length is right with delta=0")
        if head.framing is Framing.EMPTY:
            return self._miss(head, "the answer has no body")
        if head.length is None:
            return self._hold(head)
        self._settled = True
        return self._off(head, head.length)

    def _hold(self, event: Head | Frame) -> Sequence[Outgoing]:
        self._bytes += len(event.data) if isinstance(event, Frame) else 0
        if self._bytes > HELD_BYTES_MAX:
            return self._miss(event, f"the answer is longer than {HELD_BYTES_MAX} bytes")
        self._held.append(event)
        return ()

    def _measured(self, at: float) -> list[Outgoing]:
        head, *frames = [moved(event, at) for event in self._held]
        assert isinstance(head, Head)  # noqa: S101 - it was held first
        return [*self._off(head, self._bytes), *frames]

    def _off(self, head: Head, length: int) -> list[Outgoing]:
        announced = length + self._delta
        if announced < 0:
            return [Miss(head.at, f"the answer has only {length} bytes"), head]
        detail = f"announced {announced} bytes of {length}"
        return [Hit(head.at, detail), head.framed(Framing.LENGTH, announced)]

    def _miss(self, event: Incoming, reason: str) -> Sequence[Outgoing]:
        self._settled = True
        held, self._held = self._held, []
        return [Miss(event.at, reason), *(moved(each, event.at) for each in held), *passing(event)]
