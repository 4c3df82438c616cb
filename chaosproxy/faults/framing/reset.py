"""stream.reset: the connection is torn down with an RST."""

from __future__ import annotations

from typing import ClassVar

from chaosproxy.events import Abort, Cut
from chaosproxy.faults.framing.early_end import EarlyEnd
from chaosproxy.faults.where import Where, WhereSetting


class StreamReset(EarlyEnd):
    """Reset the connection in mid-stream, like a killed process or a firewall.

    A kernel may throw away what it has received but not yet handed over when an RST comes, so the client may see less
    than what was sent before it.
    """

    type: ClassVar[str] = "stream.reset"
    done: ClassVar[str] = "reset (RST)"
    symptom: ClassVar[str] = "the answer stops in the middle with 'connection reset by peer' (RST)"
    timeline: ClassVar[str] = "upstream  h f f f f f f end\nclient    h f f RST"
    no_neutral: ClassVar[str | None] = (
        "a reset always breaks the body; a place that is never reached is a miss, not a setting"
    )

    where: WhereSetting = Where("token", 5)
    """The connection is reset here."""

    def _end(self, at: float) -> Abort:
        return Abort(at, Cut.RESET)
