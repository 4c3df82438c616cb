"""stream.fin: the connection closes before the body is complete."""

from __future__ import annotations

from typing import ClassVar

from chaosproxy.events import Abort, Cut, Head
from chaosproxy.faults.framing.early_end import EarlyEnd
from chaosproxy.faults.stages import chunked
from chaosproxy.faults.where import Where, WhereSetting


class StreamFin(EarlyEnd):
    """Close the connection without the last chunk, like a crashed process behind a load balancer.

    The body gets chunks if it had none, because elsewhere a FIN may be a clean end.
    """

    type: ClassVar[str] = "stream.fin"
    done: ClassVar[str] = "connection closed (FIN)"
    symptom: ClassVar[str] = (
        "the answer stops in the middle and the connection closes (FIN); clients raise an incomplete-read error"
    )
    timeline: ClassVar[str] = "upstream  h f f f f f f end\nclient    h f f FIN"
    no_neutral: ClassVar[str | None] = (
        "a close always breaks the body; a place that is never reached is a miss, not a setting"
    )

    where: WhereSetting = Where("token", 5)
    """The connection closes here. ``after_terminal``: the whole text arrives, only the last chunk is missing."""

    def _reframe(self, head: Head) -> Head:
        return chunked(head)

    def _end(self, at: float) -> Abort:
        return Abort(at, Cut.FIN)
