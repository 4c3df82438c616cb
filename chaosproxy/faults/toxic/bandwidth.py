"""toxic.bandwidth: a thin line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import AT_HEAL, RAW, Abort, End, Frame, Outgoing, moved
from chaosproxy.faults.base import Stage
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.faults.toxic.byte_stage import ByteStage

_BYTES_PER_KB = 1000
_SLICE_S = 0.1
"""A longer chunk leaves in slices of what the line carries in this time."""


class ToxicBandwidth(Toxic):
    """Let so many kilobytes (1000 bytes) per second through, on each connection for itself.

    It saves up nothing while the line is idle. A rate of 0 lets nothing through at all.
    """

    type: ClassVar[str] = "toxic.bandwidth"
    symptom: ClassVar[str] = "data trickles in slowly, or not at all with a rate of 0"
    timeline: ClassVar[str] = "upstream  dddddd end\nclient    d.d.d.d.d.d end"
    attribute_units: ClassVar[Mapping[str, float]] = {"rate": 1}

    rate: Annotated[int, Field(ge=0)] = 0
    """In KB/s (1000 bytes per second)."""

    def poison(self, dice: Random, carried: Stage | None) -> ByteStage:
        """One per direction of a connection."""
        return ThinLine(self.rate * _BYTES_PER_KB)


class ThinLine(ByteStage):
    """Each slice leaves when the line has carried it."""

    def __init__(self, bytes_per_s: int) -> None:
        super().__init__("no data came")
        self._bytes_per_s = bytes_per_s
        self._slice_bytes = int(bytes_per_s * _SLICE_S)
        self._free_at = 0.0

    def on_data(self, frame: Frame) -> Sequence[Outgoing]:
        if not self._bytes_per_s:
            self._free_at = AT_HEAL
            return self.hit(frame.at, "nothing passes", moved(frame, AT_HEAL))
        slices = [Frame(self._carried_at(frame.at, len(part)), part, RAW) for part in self._parts(frame.data)]
        return self.hit(frame.at, f"at most {self._bytes_per_s // _BYTES_PER_KB} KB/s", *slices)

    def on_end(self, end: End | Abort) -> Sequence[Outgoing]:
        return (moved(end, max(self._free_at, end.at)),)

    def _parts(self, data: bytes) -> Sequence[bytes]:
        if len(data) <= self._slice_bytes:
            return (data,)
        return [data[start : start + self._slice_bytes] for start in range(0, len(data), self._slice_bytes)]

    def _carried_at(self, at: float, size: int) -> float:
        self._free_at = max(self._free_at, at) + size / self._bytes_per_s
        return self._free_at
