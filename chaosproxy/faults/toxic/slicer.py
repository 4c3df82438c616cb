"""toxic.slicer: the same bytes in small pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from chaosproxy.events import RAW, Abort, End, Frame, Outgoing, moved
from chaosproxy.faults.base import Stage
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.faults.toxic.byte_stage import ByteStage
from chaosproxy.units import Duration


class ToxicSlicer(Toxic):
    """Cut data into slices of a random size, each on its way for itself.

    Data is halved, about the middle, until no piece is longer than average and variation together.
    """

    type: ClassVar[str] = "toxic.slicer"
    symptom: ClassVar[str] = "the same data in many small packets"
    timeline: ClassVar[str] = "upstream  dddddd end\nclient    dd.d.ddd.end"
    attribute_units: ClassVar[Mapping[str, float]] = {"average_size": 1, "size_variation": 1, "delay": 0.000001}

    average_size: Annotated[int, Field(ge=0)] = 0
    """Of a slice, in bytes; 0: data is not cut."""
    size_variation: Annotated[int, Field(ge=0)] = 0
    """By how many bytes a slice may be longer, and the middle beside the middle; at most the average."""
    delay: Duration = 0.0
    """After each slice, the last one included."""

    @model_validator(mode="after")
    def _makes_sense(self) -> ToxicSlicer:
        if self.size_variation > self.average_size:
            raise ValueError(f"size_variation ({self.size_variation}) is at most average_size ({self.average_size})")
        return self

    def poison(self, dice: Random, carried: Stage | None) -> ByteStage:
        """One per direction of a connection."""
        return Slicing(self.average_size, self.size_variation, self.delay, dice)


class Slicing(ByteStage):
    """Cuts each chunk, and lets no slice out while the delay after the one before it lasts."""

    def __init__(self, average: int, variation: int, delay_s: float, dice: Random) -> None:
        super().__init__("no data came that was long enough")
        self._average = average
        self._variation = variation
        self._delay_s = delay_s
        self._dice = dice
        self._free_at = 0.0

    def on_data(self, frame: Frame) -> Sequence[Outgoing]:
        slices = list(self._slices(frame))
        if len(slices) == 1 and slices[0].at == frame.at:
            return slices
        return self.hit(frame.at, f"cut into slices of about {self._average} bytes", *slices)

    def on_end(self, end: End | Abort) -> Sequence[Outgoing]:
        late = moved(end, max(self._free_at, end.at))
        return (late,) if late is end else self.hit(end.at, "each piece delayed the next", late)

    def _slices(self, frame: Frame) -> Iterator[Frame]:
        self._free_at = max(self._free_at, frame.at)
        for start, stop in self._cuts(len(frame.data)):
            yield Frame(self._free_at, frame.data[start:stop], RAW)
            self._free_at += self._delay_s

    def _cuts(self, size: int) -> Iterator[tuple[int, int]]:
        """Depth first, the left half before the right."""
        waiting = [(0, size)]
        while waiting:
            start, stop = waiting.pop()
            length = stop - start
            if not self._average or length < 2 or length <= self._average + self._variation:
                yield start, stop
                continue
            middle = start + length // 2
            if self._variation:
                middle += self._dice.randrange(-self._variation, self._variation)
            middle = min(max(middle, start + 1), stop - 1)
            waiting += ((middle, stop), (start, middle))
