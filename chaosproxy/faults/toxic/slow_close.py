"""toxic.slow_close: the end comes late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar

from chaosproxy.events import Abort, End, Outgoing, moved
from chaosproxy.faults.base import Stage
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.faults.toxic.byte_stage import ByteStage
from chaosproxy.units import Duration, format_duration


class ToxicSlowClose(Toxic):
    """Pass the data, and delay the FIN after it. An RST is not delayed."""

    type: ClassVar[str] = "toxic.slow_close"
    symptom: ClassVar[str] = "all data has come, and the connection stays open for a while"
    timeline: ClassVar[str] = "upstream  dd  dd  end\nclient    dd  dd  ......end"
    attribute_units: ClassVar[Mapping[str, float]] = {"delay": 0.001}

    delay: Duration = 0.0
    """From the peer's FIN to ours."""

    def poison(self, dice: Random, carried: Stage | None) -> ByteStage:
        """One per direction of a connection."""
        return Lingering(self.delay)


class Lingering(ByteStage):
    """Moves the End."""

    def __init__(self, delay_s: float) -> None:
        super().__init__("the connection did not end with a FIN, or the delay was none")
        self._delay_s = delay_s

    def on_end(self, end: End | Abort) -> Sequence[Outgoing]:
        if isinstance(end, Abort) or not self._delay_s:
            return (end,)
        return self.hit(end.at, f"closed {format_duration(self._delay_s)} late", moved(end, end.at + self._delay_s))
