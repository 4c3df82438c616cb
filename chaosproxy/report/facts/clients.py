"""Part 5: what clients of the backends did wrong when something broke, and what they should do instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chaosproxy.steady_state.client_findings import ClientFinding
from chaosproxy.steady_state.history import Story

ClientJudge = Callable[[Story], Iterable[ClientFinding]]
"""Says what a call shows about its client."""


@dataclass(frozen=True, slots=True)
class ClientNote:
    """One defect over all calls that show it; ``evidence`` is that of the ``example``, the first one."""

    defect: str
    calls: int
    advice: str
    evidence: str
    example: str


class ClientCounter:
    """Gathers them. A call that is ok, and that cost one request which nothing hit, shows nothing."""

    def __init__(self, judge: ClientJudge | None) -> None:
        self._judge = judge
        self._first: dict[str, tuple[ClientFinding, Story]] = {}
        self._calls: dict[str, int] = {}

    def feed(self, story: Story) -> None:
        """One call."""
        if self._judge is None or (len(story.exchanges) < 2 and not story.hits and story.surely_ok):
            return
        seen = {str(finding.defect): finding for finding in self._judge(story)}
        for defect, finding in seen.items():
            self._first.setdefault(defect, (finding, story))
            self._calls[defect] = self._calls.get(defect, 0) + 1

    def examples(self) -> list[Story]:
        """A call for each defect."""
        return [story for _, story in self._first.values()]

    def done(self) -> Sequence[ClientNote] | None:
        """The most frequent defects first; None when nobody judges."""
        if self._judge is None:
            return None
        return [
            ClientNote(defect, self._calls[defect], finding.advice, finding.evidence, story.id)
            for defect, (finding, story) in sorted(self._first.items(), key=lambda item: -self._calls[item[0]])
        ]
