"""sse.drop: whole events are lost, and what is left is a well-formed stream."""

from __future__ import annotations

from typing import ClassVar

from chaosproxy.events import Frame
from chaosproxy.faults.framing.chosen import ReplacedEvents


class SseDrop(ReplacedEvents):
    """Lose whole events: a buggy relay, an overfull queue. No client notices on a plain chat stream."""

    type: ClassVar[str] = "sse.drop"
    done: ClassVar[str] = "dropped"
    symptom: ClassVar[str] = "words are missing inside the answer; it ends normally, and no client raises an error"
    timeline: ClassVar[str] = "upstream  h f1 f2 f3 f4 f5 f6 end\nclient    h f1 f2    f4 f5    end    (each=3)"
    no_neutral: ClassVar[str | None] = (
        "a drop always loses an event; a place that is never reached is a miss, not a setting"
    )

    def becomes(self, frame: Frame) -> tuple[Frame, ...]:
        """Nothing."""
        del frame
        return ()
