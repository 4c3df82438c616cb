"""Faults of a file as the rules that proxies get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaosproxy.experiment.timeline import planned
from chaosproxy.plan.rule import Match, Rule

if TYPE_CHECKING:
    from chaosproxy.experiment.entries import FaultEntry
    from chaosproxy.experiment.model import Experiment


def rules_of(experiment: Experiment) -> dict[str, Rule]:
    """One rule per fault, in the order of the file; each ends by itself after its planned duration."""
    spare = None if experiment.control is None else experiment.control.match
    return {span.fault.id: rule_of(span.fault, span.targets, span.lasts_s, spare) for span in planned(experiment)}


def rule_of(fault: FaultEntry, listeners: tuple[str, ...], lasts_s: float | None, spare: Match | None = None) -> Rule:
    """The fault as a proxy gets it. Raises pydantic.ValidationError when its parts contradict each other."""
    return Rule(
        id=fault.id,
        listeners=listeners,
        do=fault.do,
        match=fault.match,
        share=fault.share,
        flap=fault.flap,
        streams=fault.streams,
        max_hits=fault.max_hits,
        spare=spare,
        lasts=lasts_s,
    )
