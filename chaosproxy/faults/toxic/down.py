"""toxic.down: nobody is there."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from chaosproxy.events import Abort, Cut, End, Frame, Outgoing
from chaosproxy.faults.base import Gate, Stage
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.faults.toxic.byte_stage import ByteStage


class ToxicDown(Toxic):
    """Close the port: open connections get a FIN, new ones are refused, as with ``enabled: false`` in Toxiproxy.

    With a toxicity below 100% the port stays open, and that share of the connections is closed as soon as it is there.
    """

    type: ClassVar[str] = "toxic.down"
    symptom: ClassVar[str] = "connection refused, and those that were there are closed"
    timeline: ClassVar[str] = "client    connect RST\nclient    dd FIN    (open when it begins)"
    eats: ClassVar[bool] = True

    def gate(self) -> Gate | None:
        """A port is open or not; it cannot refuse a share."""
        return Gate.REFUSE if self.toxicity == 1 else None

    def poison(self, dice: Random, carried: Stage | None) -> ByteStage:
        """One per direction of a connection."""
        return Closed()


class Closed(ByteStage):
    """Closes as soon as it is attached."""

    def __init__(self) -> None:
        super().__init__("the connection had ended")
        self._over = False

    def on_data(self, frame: Frame) -> Sequence[Outgoing]:
        return ()

    def on_tick(self, at: float) -> Sequence[Outgoing]:
        if self._over:
            return ()
        self._over = True
        return self.hit(at, "closed", Abort(at, Cut.FIN))

    def on_end(self, end: End | Abort) -> Sequence[Outgoing]:
        return ()
