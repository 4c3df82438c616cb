"""stream.truncate: the clean early end, the one that no client notices."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Literal

from pydantic import field_validator

from chaosproxy.events import End, Exchange, Frame, Framing, Head, Kind, Miss, Outgoing
from chaosproxy.faults.base import Stage
from chaosproxy.faults.framing.early_end import EarlyEnd
from chaosproxy.faults.framing.held_back import HeldBack
from chaosproxy.faults.where import Where, WhereSetting


class StreamTruncate(EarlyEnd):
    """End the body cleanly before it is complete, like a gateway that hides its upstream's cut."""

    type: ClassVar[str] = "stream.truncate"
    done: ClassVar[str] = "cut"
    symptom: ClassVar[str] = (
        "the answer stops in the middle; the body ends as if complete, and no client raises an error"
    )
    timeline: ClassVar[str] = "upstream  h f f f f f f end\nclient    h f f end"
    no_neutral: ClassVar[str | None] = (
        "a cut always ends the body; a place that is never reached is a miss, not a setting"
    )

    where: WhereSetting = Where("token", 5)
    """The body ends here."""
    framing: Literal["chunked", "close", "length"] = "chunked"
    """How the client learns of the end: the last chunk, a FIN (body without length), or a Content-Length that fits; for
    the last one the answer is held back until the cut, because its length must be known first."""

    @field_validator("where")
    @classmethod
    def _cuts_something(cls, where: Where) -> Where:
        if where.unit == "after_terminal":
            raise ValueError(
                "nothing comes after the terminal event that could be cut off; before_terminal cuts it off"
            )
        return where

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        cut = super().stage(dice, exchange)
        return HeldBack(cut) if self.framing == "length" else cut

    def _reframe(self, head: Head) -> Head:
        match self.framing:
            case _ if head.framing is Framing.EMPTY:
                return head
            case "chunked":
                return head.framed(Framing.CHUNKED)
            case "close":
                return head.framed(Framing.CLOSE)
            case "length":
                return head.framed(Framing.LENGTH, 0)

    def _cut(self, frame: Frame, before: int) -> Sequence[Outgoing]:
        if frame.kind & Kind.TERMINAL and before == len(frame.data):
            return [Miss(frame.at, f"the answer was complete {self.where.place()}"), frame]
        return super()._cut(frame, before)

    def _end(self, at: float) -> End:
        return End(at)
