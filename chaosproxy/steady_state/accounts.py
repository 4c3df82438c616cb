"""What each fault did, beside what was planned. One that met nobody, or was not what was planned, proves nothing."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from chaosproxy.steady_state.claims import Expectation, Expression
from chaosproxy.steady_state.entry_calls import is_call
from chaosproxy.steady_state.findings import FaultAccount
from chaosproxy.steady_state.spells import failover_time, recovery_time
from chaosproxy.steady_state.timeline import LATE_S, LATE_SHARE, LEASE, Unknowable
from chaosproxy.steady_state.vocabulary import Unit, display

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chaosproxy.journal.traffic import FaultHit
    from chaosproxy.steady_state.claims import PlannedFault
    from chaosproxy.steady_state.history import History
    from chaosproxy.steady_state.observation import Observation
    from chaosproxy.steady_state.timeline import Spell

HIT_SLACK_S = 0.5
"""A hit may be written down so long before or after the edges of its fault."""
_COUNTED_REASON = re.compile(r"(share|max_hits|match\.(?:first|skip|nth|each)):")
"""Reasons with a number that differs from request to request; they are counted by their name."""


def account_of(history: History, fault: PlannedFault, *, completed: bool) -> FaultAccount:
    """The account of one fault; only a completed run owes its end."""
    timeline, spell = history.timeline, history.timeline.spells.get(fault.id)
    hits = [] if spell is None else _hits_within(history, fault, spell)
    load_hits = _of_the_load(history, hits)
    misses = _misses(history, fault)
    enough, why = _enough(history, fault, load_hits, misses)
    if enough and spell is not None and (unplanned := _unplanned(history, fault, spell, completed=completed)):
        enough, why = False, unplanned
    return FaultAccount(
        id=fault.id,
        type=fault.type,
        targets=fault.targets,
        planned_at_s=fault.at_s,
        planned_lasts_s=fault.lasts_s,
        applied_at_s=None if spell is None else timeline.since_origin(spell.applied_at),
        healed_at_s=None if spell is None else timeline.since_origin(spell.healed_at),
        failover_s=_felt(history, fault, "failover_time", failover_time),
        recovery_s=_felt(history, fault, "recovery_time", recovery_time),
        hits=len(hits),
        load_hits=load_hits,
        min_hits=fault.min_hits,
        misses=misses,
        enough=enough,
        why=why,
    )


def _felt(
    history: History, fault: PlannedFault, name: str, measure: Callable[[History, Expectation], Observation]
) -> float | None:
    """How long it was felt: as the hypothesis asks for it, else by the defaults of the measure."""
    asked = (
        entry
        for entry in history.claims.hypothesis
        if entry.expect.measure == name and entry.expect.argument == fault.id
    )
    plain = Expectation(name, Expression(f"{name}({fault.id}) >= 0s", name, None, fault.id, ">=", 0.0), ())
    try:
        return measure(history, next(asked, plain)).value
    except Unknowable:
        return None


def _hits_within(history: History, fault: PlannedFault, spell: Spell) -> list[FaultHit]:
    """Whom it met while it acted."""
    until = history.timeline.last_at if spell.healed_at is None else spell.healed_at
    begin, end = spell.applied_at - HIT_SLACK_S, until + HIT_SLACK_S
    return [hit for hit in history.hits_of(fault.id) if begin <= hit.at <= end]


def _of_the_load(history: History, hits: Sequence[FaultHit]) -> int:
    """How many of them met the load: a health check that is hit says nothing about calls. Without tags all may have; of
    external traffic all that are not known to be no calls.
    """
    if history.claims.external:
        others = {exchange.id for exchange in history.exchanges if not is_call(exchange)}
        return sum(hit.exchange not in others for hit in hits)
    if not history.stories or not all(story.call.tagged for story in history.stories):
        return len(hits)
    calls = {story.id for story in history.stories}
    theirs = {exchange.id for exchange in history.exchanges if exchange.call in calls}
    return sum(hit.exchange is None or hit.exchange in theirs or hit.call in calls for hit in hits)


def _unplanned(history: History, fault: PlannedFault, spell: Spell, *, completed: bool) -> str:
    """How it differed from the plan, so that it tested less than it should; nothing when it did not."""
    elsewhere = [target for target in fault.targets if target not in spell.listeners]
    if elsewhere:
        return f"it was never applied at {' and '.join(elsewhere)}"
    late_s, tolerance_s = _late_s(history, fault, spell), _tolerance_s(fault)
    if late_s > tolerance_s:
        return f"it began {_seconds(late_s)} later than planned"
    if spell.healed_at is None:
        return "the journal does not say when it ended" if completed else ""
    acted_s, planned_s = spell.healed_at - spell.applied_at, fault.lasts_s
    of = "" if planned_s is None else f" of {_seconds(planned_s)}"
    if spell.why == LEASE:
        return f"it ended after {_seconds(acted_s)}{of} because its lease ran out"
    if completed and planned_s is not None and acted_s < planned_s - tolerance_s:
        return f"it ended after {_seconds(acted_s)}{of}" + (f" ({spell.why})" if spell.why else "")
    return ""


def _late_s(history: History, fault: PlannedFault, spell: Spell) -> float:
    """Seconds from its planned begin, which may hang on another fault's real time; 0 when that is not known."""
    timeline = history.timeline
    try:
        if fault.follows is not None:
            return spell.applied_at - timeline.at(fault.follows)
    except Unknowable:
        return 0.0
    if fault.at_s is None or timeline.origin is None:
        return 0.0
    return spell.applied_at - timeline.origin - fault.at_s


def _tolerance_s(fault: PlannedFault) -> float:
    if fault.lasts_s is None:
        return LATE_S
    return min(max(LATE_SHARE * fault.lasts_s, LATE_S), fault.lasts_s / 2)


def _seconds(duration_s: float) -> str:
    return display(duration_s, Unit.SECONDS)


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
        return False, "it was never applied"
    if hits >= fault.min_hits:
        return True, ""
    if unknown := fault.why_unknown or history.timeline.spells[fault.id].unseen:
        return False, f"{unknown}; min_hits: 0 lets that pass"
    if not fault.counts_hits:
        return _enough_without_trace(history, fault)
    if misses:
        return False, "not hit: " + ", ".join(
            f"{reason} ({count} requests)" for reason, count in list(misses.items())[:3]
        )
    requests, connections = _reached(history, fault)
    if connections:
        return False, f"{connections} connections were open there"
    return False, f"{requests} requests reached it" if requests else "no request reached it"


def _reached(history: History, fault: PlannedFault) -> tuple[int, int]:
    """Requests that began at the fault's targets while it acted, and other connections that were open there."""
    spell = history.timeline.spells[fault.id]
    healed_at = history.timeline.last_at if spell.healed_at is None else spell.healed_at
    requests = sum(
        exchange.listener in fault.targets and spell.applied_at <= exchange.began_at < healed_at
        for exchange in history.exchanges
    )
    connections = sum(
        connection.listener in fault.targets
        and connection.began_at < healed_at
        and spell.applied_at < connection.end_at
        for connection in history.connections
    )
    return requests, connections


def _enough_without_trace(history: History, fault: PlannedFault) -> tuple[bool, str]:
    """A refused connection leaves nothing to count: a target in use before and calls meanwhile are the evidence."""
    spell = history.timeline.spells[fault.id]
    healed_at = history.timeline.last_at if spell.healed_at is None else spell.healed_at
    began = [(exchange.listener, exchange.began_at) for exchange in history.exchanges]
    began += [(connection.listener, connection.began_at) for connection in history.connections]
    in_use = any(listener in fault.targets and at < spell.applied_at for listener, at in began)
    sent_at = [story.sent_at for story in history.stories]
    if history.claims.external:  # the system's other requests show that it was in use, too
        sent_at += [exchange.began_at for exchange in history.exchanges if is_call(exchange)]
    meanwhile = any(spell.applied_at <= at < healed_at for at in sent_at)
    no_trace = f"{fault.type} leaves no trace at the proxy, so its hits cannot be counted"
    if in_use and meanwhile:
        return True, f"{no_trace}; its target was in use before, and calls were sent meanwhile"
    missing = "no call was sent meanwhile" if in_use else "nobody had used its target before"
    return False, f"{no_trace}, and {missing}"
