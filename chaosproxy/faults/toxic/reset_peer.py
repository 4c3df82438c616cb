"""toxic.reset_peer: an RST instead of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar

from chaosproxy.events import Abort, Cut, End, Frame, Outgoing, Tick
from chaosproxy.faults.base import Stage
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.faults.toxic.byte_stage import ByteStage
from chaosproxy.units import Duration, format_duration


class ToxicResetPeer(Toxic):
    """Swallow the first data (or FIN) and all after it, and reset both ends.

    Without data there is no reset. Taking the toxic away while it waits resets at once, as data is missing.
    """

    type: ClassVar[str] = "toxic.reset_peer"
    symptom: ClassVar[str] = "connection reset by peer, in place of the first data"
    timeline: ClassVar[str] = "upstream  dd\nclient    ....RST"
    eats: ClassVar[bool] = True
    attribute_units: ClassVar[Mapping[str, float]] = {"timeout": 0.001}

    timeout: Duration = 0.0
    """From the first data to the reset."""

    def poison(self, dice: Random, carried: Stage | None) -> ByteStage:
        """One per direction of a connection; after an update the first data keeps its time."""
        return Resetting(self.timeout, carried.since if isinstance(carried, Resetting) else None)


class Resetting(ByteStage):
    """Swallows from the first data on; ``since`` is when that came."""

    def __init__(self, timeout_s: float, since: float | None = None) -> None:
        super().__init__("no data came")
        self._timeout_s = timeout_s
        self._over = False
        self.since = since

    def on_data(self, frame: Frame) -> Sequence[Outgoing]:
        return self._swallow(frame.at)

    def on_tick(self, at: float) -> Sequence[Outgoing]:
        if self.since is None or self._over:
            return ()
        due_at = self.since + self._timeout_s
        return (Tick(due_at),) if at < due_at else self._reset(at)

    def on_end(self, end: End | Abort) -> Sequence[Outgoing]:
        if isinstance(end, End):
            return self._swallow(end.at)
        if self._over:
            return ()
        self._over = True
        return (end,)

    def on_heal(self, at: float) -> Sequence[Outgoing]:
        return () if self.since is None or self._over else self._reset(at)

    def _swallow(self, at: float) -> Sequence[Outgoing]:
        if self.since is not None:
            return ()
        self.since = at
        return self._reset(at) if not self._timeout_s else self.hit(at, self._words(), Tick(at + self._timeout_s))

    def _reset(self, at: float) -> Sequence[Outgoing]:
        self._over = True
        return self.hit(at, self._words(), Abort(at, Cut.RESET))

    def _words(self) -> str:
        return f"reset {format_duration(self._timeout_s)} after its first data" if self._timeout_s else "reset"
