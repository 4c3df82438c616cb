"""toxic.noop: nothing at all."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from chaosproxy.faults.base import Stage
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.faults.toxic.byte_stage import ByteStage


class ToxicNoop(Toxic):
    """Pass everything as it is, to try out what puts toxics in place."""

    type: ClassVar[str] = "toxic.noop"
    symptom: ClassVar[str] = "nothing"
    timeline: ClassVar[str] = "upstream  dd  dd  end\nclient    dd  dd  end"

    def poison(self, dice: Random, carried: Stage | None) -> ByteStage:
        """One per direction of a connection."""
        return ByteStage("a noop does nothing")
