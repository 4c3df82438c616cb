"""body.range_416: the part that was asked for does not exist."""

from __future__ import annotations

from typing import ClassVar

from chaosproxy.events import Exchange, Headers
from chaosproxy.faults.admission.answer import OwnAnswer
from chaosproxy.faults.framing.download import lacks_range
from chaosproxy.wire.dialects import dialect


class BodyRange416(OwnAnswer):
    """Answer a request for a part with 416, like a server whose file has become shorter (RFC 9110, 15.5.17)."""

    type: ClassVar[str] = "body.range_416"
    symptom: ClassVar[str] = "416 range not satisfiable when a download is resumed; careful clients begin anew"
    timeline: ClassVar[str] = "client    ask(range)\nupstream  (not asked)\nclient    416 content-range end"

    def lacks(self, exchange: Exchange) -> str | None:
        """A range has to be asked for."""
        return lacks_range(exchange)

    def reply(self, exchange: Exchange) -> tuple[int, Headers, bytes]:
        """416, with an empty file as its complete length."""
        headers, body = dialect(exchange.dialect).error(416, error_type=None, code=None, message=None)
        return 416, (*headers, ("content-range", "bytes */0")), body
