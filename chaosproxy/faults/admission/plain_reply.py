"""http.plain_reply: a whole answer where a stream was asked for."""

from __future__ import annotations

from typing import ClassVar

from chaosproxy.events import Exchange, Headers
from chaosproxy.faults.admission.answer import OwnAnswer
from chaosproxy.faults.stages import lacks_stream
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer

_PIECES = ("This", " answer", " is", " not", " streamed.")


class HttpPlainReply(OwnAnswer):
    """Answer ``stream: true`` with one JSON object, like a gateway that does not know how to stream.

    The answer is ours ("This answer is not streamed."), because the upstream is not asked.
    """

    type: ClassVar[str] = "http.plain_reply"
    symptom: ClassVar[str] = (
        "an empty answer with status 200: streaming clients find no event in the JSON, and no error"
    )
    timeline: ClassVar[str] = "client    ask\nupstream  (not asked)\nclient    200 {answer} end"

    def lacks(self, exchange: Exchange) -> str | None:
        """Without a stream it is what was asked for."""
        return lacks_stream(exchange)

    def reply(self, exchange: Exchange) -> tuple[int, Headers, bytes]:
        """A valid plain answer of the dialect."""
        said = Answer("plain", exchange.model or "unknown", 1_700_000_000, _PIECES, output_tokens=len(_PIECES))
        return 200, (("content-type", "application/json"),), dialect(exchange.dialect).plain_body(said)
