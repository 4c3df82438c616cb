"""What each fault did: planned and real times, hits, misses. A fault that met nobody proves nothing."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from chaosproxy.steady_state.findings import FaultAccount

if TYPE_CHECKING:
    from chaosproxy.steady_state.claims import PlannedFault
    from chaosproxy.steady_state.history import History

_COUNTED_REASON = re.compile(r"(share|max_hits|match\.(?:first|skip|nth|each)):")
"""Reasons with a number that differs from request to request; they are counted by their name."""


def account_of(history: History, fault: PlannedFault) -> FaultAccount:
    """The account of one fault."""
    timeline, hits = history.timeline, len(history.hits_of(fault.id))
    spell = timeline.spells.get(fault.id)
    misses = _misses(history, fault)
    enough, why = _enough(history, fault, hits, misses)
    return FaultAccount(
        id=fault.id,
        type=fault.type,
        targets=fault.targets,
        planned_at_s=fault.at_s,
        planned_lasts_s=fault.lasts_s,
        applied_at_s=None if spell is None else timeline.since_origin(spell.applied_at),
        healed_at_s=None if spell is None else timeline.since_origin(spell.healed_at),
        hits=hits,
        min_hits=fault.min_hits,
        misses=misses,
        enough=enough,
        why=why,
    )


def _misses(history: History, fault: PlannedFault) -> dict[str, int]:
    reasons: Counter[str] = Counter()
    for exchange in history.exchanges:
        for miss in exchange.misses:
            if miss.fault == fault.id:
                counted = _COUNTED_REASON.match(miss.reason)
                reasons[counted[1] if counted else miss.reason] += 1
    return dict(sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0])))


def _enough(history: History, fault: PlannedFault, hits: int, misses: dict[str, int]) -> tuple[bool, str]:
    """Whether the fault met enough traffic, and if not, why."""
    if fault.id not in history.timeline.spells:
        return fault.min_hits == 0, "it was never applied"
    if hits >= fault.min_hits:
        return True, ""
    if not fault.counts_hits:
        return _enough_without_trace(history, fault)
    if misses:
        return False, "not hit: " + ", ".join(
            f"{reason} ({count} requests)" for reason, count in list(misses.items())[:3]
        )
    reached = _reached(history, fault)
    return False, f"{reached} requests reached it" if reached else "no request reached it"


def _reached(history: History, fault: PlannedFault) -> int:
    """Requests that began at the fault's targets while it acted."""
    spell = history.timeline.spells[fault.id]
    healed_at = history.timeline.last_at if spell.healed_at is None else spell.healed_at
    return sum(
        exchange.listener in fault.targets and spell.applied_at <= exchange.began_at < healed_at
        for exchange in history.exchanges
    )


def _enough_without_trace(history: History, fault: PlannedFault) -> tuple[bool, str]:
    """A refused connection leaves nothing to count: a target in use before and calls meanwhile are the evidence."""
    spell = history.timeline.spells[fault.id]
    healed_at = history.timeline.last_at if spell.healed_at is None else spell.healed_at
    in_use = any(
        exchange.listener in fault.targets and exchange.began_at < spell.applied_at for exchange in history.exchanges
    )
    meanwhile = any(spell.applied_at <= story.sent_at < healed_at for story in history.stories)
    no_trace = f"{fault.type} leaves no trace at the proxy, so its hits cannot be counted"
    if in_use and meanwhile:
        return True, f"{no_trace}; its target was in use before, and calls were sent meanwhile"
    missing = "no call was sent meanwhile" if in_use else "nobody had used its target before"
    return False, f"{no_trace}, and {missing}"
