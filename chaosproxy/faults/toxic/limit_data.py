"""toxic.limit_data: so many bytes and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import RAW, Abort, Cut, End, Frame, Outgoing
from chaosproxy.faults.base import Stage
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.faults.toxic.byte_stage import ByteStage


class ToxicLimitData(Toxic):
    """Close the connection when so many bytes have passed.

    The count belongs to the connection, and goes on when the toxic's settings change.
    """

    type: ClassVar[str] = "toxic.limit_data"
    symptom: ClassVar[str] = "the connection is closed in the middle of the data"
    timeline: ClassVar[str] = "upstream  ddddddd\nclient    ddd FIN"
    eats: ClassVar[bool] = True
    attribute_units: ClassVar[Mapping[str, float]] = {"bytes": 1}

    bytes: Annotated[int, Field(ge=0)] = 0
    """That pass before it closes; 0 closes at the first data."""

    def poison(self, dice: Random, carried: Stage | None) -> ByteStage:
        """One per direction of a connection."""
        return Counted(self.bytes, carried.passed_bytes if isinstance(carried, Counted) else 0)


class Counted(ByteStage):
    """Passes data while there is some left of the limit."""

    def __init__(self, limit_bytes: int, passed_bytes: int = 0) -> None:
        super().__init__("the connection ended below the limit")
        self._limit_bytes = limit_bytes
        self._over = False
        self.passed_bytes = passed_bytes
        """So far, in this direction of the connection."""

    def on_data(self, frame: Frame) -> Sequence[Outgoing]:
        if self._over:
            return ()
        left = max(0, self._limit_bytes - self.passed_bytes)
        if len(frame.data) < left:
            self.passed_bytes += len(frame.data)
            return (frame,)
        self._over = True
        self.passed_bytes += left
        kept = (Frame(frame.at, frame.data[:left], RAW),) if left else ()
        return self.hit(frame.at, f"closed after {self.passed_bytes} bytes", *kept, Abort(frame.at, Cut.FIN))

    def on_end(self, end: End | Abort) -> Sequence[Outgoing]:
        if self._over:
            return ()
        self._over = True
        return (end,)
