"""time.bandwidth: the answer comes through a thin line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import Abort, End, Exchange, Frame, Heal, Hit, Incoming, Miss, Outgoing, Tick, moved
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import passing, split_frame

_NOTICEABLE_S = 1e-6


class TimeBandwidth(Fault):
    """Let so many bytes of the body through per second, in slices; the upstream is read no faster than that."""

    type: ClassVar[str] = "time.bandwidth"
    room: ClassVar[Room] = Room.TIMING
    symptom: ClassVar[str] = "the answer comes slowly, in small pieces, and takes long as a whole"
    timeline: ClassVar[str] = "upstream  h ffffffff end\nclient    h f . f . f . f . f . f . f . f end"
    no_neutral: ClassVar[str | None] = "every rate delays some body; a rate that is never reached is a miss"

    bytes_per_second: Annotated[float, Field(gt=0)] = 1000.0
    """Of the body, its framing not counted."""
    chunk_bytes: Annotated[int, Field(ge=1)] = 256
    """The size of a slice; a slice comes when all of it has passed the line."""

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Throttled(self.bytes_per_second, self.chunk_bytes)


class Throttled:
    """Each slice leaves when the line has carried it."""

    def __init__(self, bytes_per_second: float, chunk_bytes: int) -> None:
        self._bytes_per_second = bytes_per_second
        self._chunk_bytes = chunk_bytes
        self._free_at = 0.0
        self._last_at = 0.0
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if isinstance(event, Frame):
            return self._carry(event)
        passed = tuple(moved(each, self._due_at(each.at)) for each in passing(event))
        if isinstance(event, Tick):
            self._free_at = max(self._free_at, event.at)
        if self._settled or not isinstance(event, End | Abort | Heal):
            return passed
        self._settled = True
        return (Miss(event.at, "the answer had no body"), *passed)

    def _carry(self, frame: Frame) -> Sequence[Outgoing]:
        slices: list[Outgoing] = []
        for piece in self._slices(frame):
            self._free_at = max(self._free_at, frame.at) + len(piece.data) / self._bytes_per_second
            slices.append(moved(piece, self._due_at(piece.at)))
        if self._settled or (len(slices) == 1 and self._last_at == frame.at):
            return slices
        self._settled = True
        return [Hit(frame.at, f"at most {self._bytes_per_second:g} bytes per second"), *slices]

    def _due_at(self, at: float) -> float:
        """When the line is free, or at once where the difference is rounding."""
        self._last_at = max(self._last_at, self._free_at if self._free_at > at + _NOTICEABLE_S else at)
        return self._last_at

    def _slices(self, frame: Frame) -> Iterator[Frame]:
        """Halves mean nothing, and the last slice means it all."""
        rest = frame
        while len(rest.data) > self._chunk_bytes:
            (first,), (rest,) = split_frame(rest, self._chunk_bytes)
            yield first
        yield rest
