"""sse.duplicate: whole events arrive twice."""

from __future__ import annotations

from typing import ClassVar

from chaosproxy.events import Frame
from chaosproxy.faults.framing.chosen import ReplacedEvents


class SseDuplicate(ReplacedEvents):
    """Send whole events twice, like a relay that resumes a stream one event too early."""

    type: ClassVar[str] = "sse.duplicate"
    done: ClassVar[str] = "repeated"
    symptom: ClassVar[str] = "words come twice inside the answer; it ends normally, and no client raises an error"
    timeline: ClassVar[str] = "upstream  h f1 f2 f3 f4 end\nclient    h f1 f2 f2 f3 f4 f4 end    (each=2)"
    no_neutral: ClassVar[str | None] = (
        "a repetition always adds an event; a place that is never reached is a miss, not a setting"
    )

    def becomes(self, frame: Frame) -> tuple[Frame, ...]:
        """The event, twice."""
        return frame, frame
