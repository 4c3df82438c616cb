"""http.html_page: a web page in the place of an answer."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from chaosproxy.events import Exchange, Headers
from chaosproxy.faults.admission.answer import OwnAnswer
from chaosproxy.faults.admission.pages import page


class HttpHtmlPage(OwnAnswer):
    """Answer with the HTML page of a load balancer, an edge, or a login that somebody put in front of the API."""

    type: ClassVar[str] = "http.html_page"
    symptom: ClassVar[str] = (
        "an HTML page where JSON was expected; with status 200 an empty answer and no error on most streams"
    )
    timeline: ClassVar[str] = "client    ask\nupstream  (not asked)\nclient    502 <html> end"

    status: Annotated[int, Field(ge=200, le=599)] | None = None
    """The status code; 200 for a login page, else 502."""
    flavour: Literal["cloudflare", "nginx", "login"] = "cloudflare"
    """Whose page."""

    def reply(self, exchange: Exchange) -> tuple[int, Headers, bytes]:
        """The page."""
        del exchange
        status = self.status or (200 if self.flavour == "login" else 502)
        return status, *page(self.flavour, status)
