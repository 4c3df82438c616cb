"""Part 5: calls that cost more than one request: who was asked, in which order, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaosproxy.journal.traffic import ExchangeRecord
from chaosproxy.steady_state.history import Story

CHAINS_MAX = 30
_PATTERNS_MAX = 500
"""Different chains that are counted at all."""
_LINKS_MAX = 8

_ENDS = {
    "end": "answered",
    "fin": "cut off",
    "reset": "reset",
    "gone": "given up by the client",
    "timeout": "silence",
    "refused": "refused",
    "unfinished": "unfinished",
    "none": "no answer",
}


@dataclass(frozen=True, slots=True)
class Link:
    """One request of a call: at which listener, and how it ended as its client saw it."""

    listener: str
    ended: str


@dataclass(frozen=True, slots=True)
class Chain:
    """Calls whose requests went the same way. ``example`` is the first such call."""

    links: tuple[Link, ...]
    calls: int
    outcomes: Mapping[str, int]
    example: str


@dataclass(frozen=True, slots=True)
class Attempts:
    """``by_requests``: how many calls cost how many requests. ``amplification``: requests per call, None without calls.

    ``other_calls``: calls whose chain is not among ``chains``.
    """

    calls: int
    requests: int
    by_requests: Mapping[int, int]
    chains: Sequence[Chain]
    other_calls: int

    @property
    def amplification(self) -> float | None:
        """Requests per call."""
        return self.requests / self.calls if self.calls else None


@dataclass(slots=True)
class _Pattern:
    example: Story
    calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


class AttemptCounter:
    """Gathers them."""

    def __init__(self) -> None:
        self._by_requests: Counter[int] = Counter()
        self._patterns: dict[tuple[Link, ...], _Pattern] = {}
        self._others = 0

    def feed(self, story: Story) -> None:
        """One call; only those that carry a tag can be joined with their requests."""
        if not story.call.tagged:
            return
        self._by_requests[len(story.exchanges)] += 1
        if len(story.exchanges) < 2:
            return
        links = tuple(link_of(exchange) for exchange in story.exchanges[:_LINKS_MAX])
        if links not in self._patterns and len(self._patterns) >= _PATTERNS_MAX:
            self._others += 1
            return
        pattern = self._patterns.setdefault(links, _Pattern(story))
        pattern.calls += 1
        pattern.outcomes[story.outcome.value] += 1

    def examples(self) -> list[Story]:
        """A call for each chain that is shown."""
        return [one.example for _, one in self._frequent()[:CHAINS_MAX]]

    def _frequent(self) -> list[tuple[tuple[Link, ...], _Pattern]]:
        return sorted(self._patterns.items(), key=lambda item: -item[1].calls)

    def done(self) -> Attempts:
        """The part; the most frequent chains first."""
        patterns = self._frequent()
        return Attempts(
            calls=self._by_requests.total(),
            requests=sum(requests * calls for requests, calls in self._by_requests.items()),
            by_requests=dict(sorted(self._by_requests.items())),
            chains=[
                Chain(links, one.calls, dict(one.outcomes.most_common()), one.example.id)
                for links, one in patterns[:CHAINS_MAX]
            ],
            other_calls=self._others + sum(one.calls for _, one in patterns[CHAINS_MAX:]),
        )


def link_of(exchange: ExchangeRecord) -> Link:
    """A request in two words."""
    sent = exchange.sent
    if sent.status is not None and sent.status != 200:
        return Link(exchange.listener, str(sent.status))
    if sent.error_event:
        return Link(exchange.listener, "error event")
    return Link(exchange.listener, _ENDS.get(sent.ended, sent.ended))
