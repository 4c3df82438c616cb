"""http.foreign_error: another provider's error."""

from __future__ import annotations

from typing import ClassVar

from chaosproxy.events import Exchange, Headers
from chaosproxy.faults.admission.answer import OwnAnswer
from chaosproxy.faults.foreign import ForeignDialect, foreign, lacks_foreign


class HttpForeignError(OwnAnswer):
    """Answer 500 with the error body of another provider, like a gateway that hands on what its backend said."""

    type: ClassVar[str] = "http.foreign_error"
    symptom: ClassVar[str] = "an error status whose body the client cannot read: the message and the code are missing"
    timeline: ClassVar[str] = "client    ask\nupstream  (not asked)\nclient    500 foreign body end"

    dialect: ForeignDialect = None
    """Whose error; None: Anthropic's, and for Anthropic's clients OpenAI's."""

    def lacks(self, exchange: Exchange) -> str | None:
        """It has to be foreign."""
        return lacks_foreign(self.dialect, exchange)

    def reply(self, exchange: Exchange) -> tuple[int, Headers, bytes]:
        """The other provider's words for a 500."""
        return 500, *foreign(self.dialect, exchange).error(500, error_type=None, code=None, message=None)
