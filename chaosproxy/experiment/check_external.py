"""Checks of files whose traffic is not ours: what nobody could know of it is refused, with what can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaosproxy.experiment.claims_of import entry_of
from chaosproxy.experiment.draft import Draft, Found
from chaosproxy.experiment.timeline import targets_of
from chaosproxy.faults.base import Room
from chaosproxy.steady_state.expression import parse_objectives
from chaosproxy.steady_state.vocabulary import MEASURES, Needs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaosproxy.experiment.entries import ExpectationEntry, FaultEntry
    from chaosproxy.experiment.yaml_text import Path
    from chaosproxy.steady_state.claims import Expression

OF_THE_RUN = ("upstream_requests", "cost")
"""Measures of exchanges that are no property of a call."""
_OF_CALLS = ("failover_time", "recovery_time")
"""Measures of faults that look at calls."""
_GAPS = ("icl", "stall", "tpot")
_UNSEEN = {
    **dict.fromkeys(_GAPS, "a listener does not note the times between the events of an answer"),
    "hung": "only a client knows its timeout; timeout_rate counts those that left for one, as far as that is known",
    "usage_error": "only a load of ours knows how many tokens to expect",
}
"""What an entry listener does not see, and why."""
_ASKED_WITHOUT = "upstream_requests, cost, hits(FAULT), applied_late(FAULT), probe(ID).success or probe(ID).value"


def external_problems(draft: Draft) -> Iterator[Found]:
    """Everything that traffic of others makes impossible."""
    if draft.experiment.external is None:
        return
    if draft.raw(("control",)) is not None:
        words = "a control cohort is told from what a load of ours sends, and this traffic is not ours"
        yield Found(("control",), f"{words}; match and share of a fault say whom it spares")
    for path, entry in (*draft.hypothesis(), *draft.gate()):
        yield from _expression(draft, (*path, "expect"), entry.expect)
        yield from _chooses_calls(draft, path, entry)
    for path, condition in draft.aborts():
        yield from _expression(draft, (*path, "when"), condition.when)
    for path, fault in draft.faults():
        yield from _hides_calls(draft, path, fault)


def _is_of_calls(expression: Expression) -> bool:
    measure = MEASURES[expression.measure]
    exchanges = measure.needs is Needs.EXCHANGES and measure.name not in OF_THE_RUN
    return measure.needs is Needs.CLIENT or exchanges or measure.name in _OF_CALLS


def _expression(draft: Draft, path: Path, expression: Expression) -> Iterator[Found]:
    entry, name = entry_of(draft.experiment), expression.measure
    if entry is None:
        if _is_of_calls(expression):
            words = f"{name} is about what clients get, and nobody sees that here"
            mend = "let topology.entry be a listener of ours in front of the system (${listener.NAME})"
            yield Found(path, f"{words}; {mend}, or ask for {_ASKED_WITHOUT}")
    elif name in _UNSEEN:
        yield Found(path, f"{name} cannot be known of traffic that is not ours: {_UNSEEN[name]}")
    elif name == "goodput" and expression.argument is not None:
        for objective in parse_objectives(expression.argument):
            if objective.measure in _UNSEEN:
                why = _UNSEEN[objective.measure]
                yield Found(path, f"{objective.measure} cannot be known of traffic that is not ours: {why}")
    elif name == "served_by" and expression.argument == entry and len(draft.experiment.topology.spoken) > 1:
        yield Found(path, f"{entry} is where calls come in; backends that serve them stand behind the system")


def _chooses_calls(draft: Draft, path: Path, entry: ExpectationEntry) -> Iterator[Found]:
    if entry_of(draft.experiment) is None and MEASURES[entry.expect.measure].needs is not Needs.PROBE:
        for key in ("cohort", "of"):
            if key in entry.model_fields_set:
                yield Found((*path, key), f"{key} chooses calls, and without an entry listener nobody sees any")


def _hides_calls(draft: Draft, path: Path, fault: FaultEntry) -> Iterator[Found]:
    """A client that finds no connection makes no request, so that its call would be missing in all measures."""
    entry = entry_of(draft.experiment)
    if entry is None or entry not in targets_of(draft.experiment, fault):
        return
    below = fault.do.room is Room.TOXIC or fault.do.needs_server or fault.do.gate() is not None
    claimed = any(_is_of_calls(expectation.expect) for _, expectation in draft.hypothesis())
    if claimed and (below or fault.do.type == "partition"):
        words = f"{fault.do.type} acts on the connections of the clients themselves"
        mend = f"aim at listeners behind {entry}, or claim nothing about calls"
        yield Found((*path, "do"), f"{words}, and what they get then is not seen by anybody; {mend}")
