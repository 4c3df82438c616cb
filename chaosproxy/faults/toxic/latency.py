"""toxic.latency: everything comes later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar

from chaosproxy.events import Abort, End, Frame, Outgoing, moved
from chaosproxy.faults.base import Stage
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.faults.toxic.byte_stage import ByteStage
from chaosproxy.units import Duration, format_duration


class ToxicLatency(Toxic):
    """Delay each chunk of data, counted from when it was received.

    Chunks are delayed side by side, so the throughput stays. Connecting is not delayed.
    """

    type: ClassVar[str] = "toxic.latency"
    symptom: ClassVar[str] = "everything on the connection comes late, at full speed"
    timeline: ClassVar[str] = "upstream  dd  dd  end\nclient    ....dd  dd  end"
    attribute_units: ClassVar[Mapping[str, float]] = {"latency": 0.001, "jitter": 0.001}

    latency: Duration = 0.0
    """The mean delay."""
    jitter: Duration = 0.0
    """Half the width of the uniform distribution around it; no delay is less than none."""

    def poison(self, dice: Random, carried: Stage | None) -> ByteStage:
        """One per direction of a connection."""
        return Late(self.latency, self.jitter, dice)


class Late(ByteStage):
    """Moves chunks to later, and the end behind the last of them."""

    reads_ahead: ClassVar[bool] = True

    def __init__(self, latency_s: float, jitter_s: float, dice: Random) -> None:
        super().__init__("no data came, or the delay was none")
        self._latency_s = latency_s
        self._jitter_s = jitter_s
        self._dice = dice
        self._last_at = 0.0

    def on_data(self, frame: Frame) -> Sequence[Outgoing]:
        delay_s = self._latency_s
        if self._jitter_s:
            delay_s += self._dice.uniform(-self._jitter_s, self._jitter_s)
        due_at = self._last_at = max(self._last_at, frame.at + max(0.0, delay_s))
        if due_at == frame.at:
            return (frame,)
        late = moved(frame, due_at)
        return (late,) if self._said else self.hit(frame.at, f"delayed by {self._words()}", late)

    def on_end(self, end: End | Abort) -> Sequence[Outgoing]:
        return (moved(end, max(self._last_at, end.at)),)

    def _words(self) -> str:
        spread = f" \u00b1 {format_duration(self._jitter_s)}" if self._jitter_s else ""
        return format_duration(self._latency_s) + spread
