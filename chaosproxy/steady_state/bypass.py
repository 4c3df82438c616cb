"""A run whose calls were answered while nothing came to its listeners: the first mistake of many who begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chaosproxy.steady_state.findings import Finding, Health

if TYPE_CHECKING:
    from chaosproxy.steady_state.course import Course
    from chaosproxy.steady_state.history import History, Story


def bypassed(history: History, course: Course, health: Health, others: Sequence[Finding]) -> list[Finding]:
    """That no request came, where that is why the run proves less than it should; ``others`` say that it does."""
    claims = history.claims
    unproven = any(finding.kind == "inconclusive" for finding in others)
    if not unproven or claims.external or not claims.upstreams or not _complete(course, health):
        return []
    answered = [story for story in history.everyone if story.answered and not _may_be_unseen(history, story)]
    if not answered or _seen_behind(history):
        return []
    names = claims.upstreams
    whose = f"the listener{'s' if len(names) > 1 else ''} {_listed(names)}"
    sentence = f"no request reached {whose}, though {len(answered)} of {len(history.everyone)} calls were answered"
    asks = f"does the system call {'these listeners' if len(names) > 1 else 'this listener'}"
    asks += ", or did it answer everything from elsewhere (a backend's own address, a cache)?"
    return [Finding(kind="inconclusive", about=names, sentence=f"{sentence}: {asks}")]


def _complete(course: Course, health: Health) -> bool:
    """Whether a request that came would be in the journal."""
    return course.how in ("completed", "gate") and not health.lost and not health.torn


def _seen_behind(history: History) -> bool:
    """Whether anything came to a listener before a backend."""
    names = history.claims.upstreams
    met = {hit.listener for hit in history.hits} | {connection.listener for connection in history.connections}
    return bool(history.asked or history.pending or met.intersection(names))


def _may_be_unseen(history: History, story: Story) -> bool:
    """Whether a fault that leaves no trace may have turned its requests away."""
    for fault in history.claims.faults:
        spell = history.timeline.spells.get(fault.id)
        if spell is None or (fault.counts_hits and not fault.why_unknown):
            continue
        healed_at = history.timeline.last_at if spell.healed_at is None else spell.healed_at
        if spell.applied_at < story.end_at and story.sent_at < healed_at:
            return True
    return False


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
