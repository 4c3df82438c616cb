"""The control cohort: which calls belong to it, told from what the load sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaosproxy.events import Exchange
from chaosproxy.wire.dialects import dialect

if TYPE_CHECKING:
    from chaosproxy.events import Headers
    from chaosproxy.journal.traffic import Call
    from chaosproxy.plan.rule import Match


@dataclass(frozen=True, slots=True)
class ControlCohort:
    """Calls whose requests fit ``match``. ``headers`` are those that each load sends, by its id."""

    match: Match
    headers: Mapping[str, Headers]

    def holds(self, call: Call) -> bool:
        """Whether a call belongs to it."""
        return self.match.why_not(self._request(call.load, call.api, call.model, stream=call.stream)) is None

    def _request(self, load: str, api: str, model: str, *, stream: bool) -> Exchange:
        return request_of(api, model, self.headers.get(load, ()), stream=stream)


def request_of(api: str, model: str, headers: Headers, *, stream: bool) -> Exchange:
    """A request of the load, as far as it is known before it is sent."""
    return Exchange(
        id="planned",
        listener="",
        ordinal=1,
        method="POST",
        path=dialect(api).request_path(model, stream=stream).partition("?")[0],
        dialect=api,
        model=model,
        stream=stream,
        headers=headers,
    )
