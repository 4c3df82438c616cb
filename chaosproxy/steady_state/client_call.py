"""One call of an application, as a test can know it: what it gave back, and the exchanges that it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from chaosproxy.journal.fingerprint import Fingerprint, fingerprint

if TYPE_CHECKING:
    from chaosproxy.journal.traffic import ExchangeRecord, FaultHit
    from chaosproxy.steady_state.history import Story


class Told(StrEnum):
    """What the call said of its answer."""

    ANSWERED = "answered"
    """Here it is, and it is whole."""
    RAISED = "raised"
    FLAGGED = "flagged"
    """There is something, and it says of itself that it is not whole, or that it stands in for the answer."""
    RETURNED = "returned"
    """It did not raise; nobody has said what came back."""


@dataclass(frozen=True, slots=True)
class Said:
    """The text of an answer, or only its fingerprint."""

    print: Fingerprint
    text: str | None = None

    @classmethod
    def of(cls, text: str) -> Said:
        """A text that is known."""
        return cls(fingerprint(text), text)

    def is_(self, other: Fingerprint) -> bool:
        """Whether it is exactly that text."""
        return self.print == other

    def begins_with(self, other: Fingerprint) -> bool:
        """Whether it begins with that text; of a fingerprint alone only whole blocks are known."""
        if self.text is not None:
            return fingerprint(self.text[: other.chars]) == other
        return bool(other.prefixes) and other.begins(self.print)

    def repeats(self, first: Fingerprint, then: Fingerprint) -> bool:
        """Whether it is the one text and then the other, whatever stands between; a fingerprint alone cannot tell."""
        if self.text is None or self.print.chars < first.chars + then.chars or not (first.chars and then.chars):
            return False
        return self.begins_with(first) and fingerprint(self.text[-then.chars :]) == then


@dataclass(frozen=True, slots=True)
class ClientCall:
    """Times are those of the journal. ``exchanges`` in the order in which they began, those still under way among them.

    ``fault_types`` are by listener and fault id. ``judged_at`` is when the journal ends.
    """

    id: str
    told: Told
    ended_at: float
    judged_at: float
    exchanges: tuple[ExchangeRecord, ...] = ()
    hits: tuple[FaultHit, ...] = ()
    said: Said | None = None
    fault_types: Mapping[tuple[str, str], str] = field(default_factory=lambda: MappingProxyType({}))

    def types_on(self, exchange: ExchangeRecord) -> frozenset[str]:
        """The types of the faults that hit an exchange."""
        return frozenset(
            self.fault_types.get((hit.listener, hit.fault), hit.fault)
            for hit in self.hits
            if hit.exchange == exchange.id
        )

    def last_hit_at(self, exchange: ExchangeRecord, types: frozenset[str]) -> float | None:
        """When a fault of one of these types hit it last."""
        mine = [
            hit.at
            for hit in self.hits
            if hit.exchange == exchange.id and self.fault_types.get((hit.listener, hit.fault), hit.fault) in types
        ]
        return max(mine, default=None)


def client_call(story: Story, fault_types: Mapping[tuple[str, str], str], judged_at: float) -> ClientCall:
    """A call of a load: its client knew how it ended, and what text it had."""
    call = story.call
    return ClientCall(
        id=story.id,
        told=Told.RAISED if story.admitted else Told.ANSWERED,
        ended_at=story.end_at,
        judged_at=judged_at,
        exchanges=story.exchanges,
        hits=story.hits,
        said=None if call.error is not None else Said(call.text),
        fault_types=fault_types,
    )
