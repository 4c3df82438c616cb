"""toxic.timeout: nothing arrives any more, and then the connection closes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar

from chaosproxy.events import AT_HEAL, Abort, Cut, End, Frame, Outgoing, Tick
from chaosproxy.faults.base import Stage
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.faults.toxic.byte_stage import ByteStage
from chaosproxy.units import Duration, format_duration


class ToxicTimeout(Toxic):
    """Drop all data, and close the connection when none has come for so long.

    Data that comes, and is dropped, starts the time anew. Taking the toxic away closes the connection, as data is
    missing in it.
    """

    type: ClassVar[str] = "toxic.timeout"
    symptom: ClassVar[str] = "the connection is open, nothing comes, and after a time it is closed"
    timeline: ClassVar[str] = "upstream  dd  dd\nclient    ..........FIN"
    eats: ClassVar[bool] = True
    attribute_units: ClassVar[Mapping[str, float]] = {"timeout": 0.001}

    timeout: Duration = 0.0
    """Of silence until it closes; 0: never."""

    def poison(self, dice: Random, carried: Stage | None) -> ByteStage:
        """One per direction of a connection."""
        return Void(self.timeout)


class Void(ByteStage):
    """Swallows data, and asks to be woken after the silence."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__("the connection ended before any data came")
        self._timeout_s = timeout_s
        self._close_at: float | None = None
        self._over = False

    def on_data(self, frame: Frame) -> Sequence[Outgoing]:
        return () if self._over else self.hit(frame.at, "its data is dropped", *self._listen(frame.at))

    def on_tick(self, at: float) -> Sequence[Outgoing]:
        if self._over:
            return ()
        if self._close_at is None or at < self._close_at:
            return self._listen(at)
        return self._close(at, f"closed after {format_duration(self._timeout_s)} of silence")

    def on_end(self, end: End | Abort) -> Sequence[Outgoing]:
        if self._over:
            return ()
        self._over = True
        return (end,)

    def on_heal(self, at: float) -> Sequence[Outgoing]:
        return () if self._over else self._close(at, "closed, as the toxic was taken away")

    def _listen(self, at: float) -> Sequence[Outgoing]:
        self._close_at = at + self._timeout_s if self._timeout_s else AT_HEAL
        return (Tick(self._close_at),)

    def _close(self, at: float, words: str) -> Sequence[Outgoing]:
        self._over = True
        return self.hit(at, words, Abort(at, Cut.FIN))
