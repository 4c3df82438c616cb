"""When each fault is planned to act, as far as that is known before the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaosproxy.steady_state.expression import fault_of
from chaosproxy.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chaosproxy.experiment.entries import FaultEntry
    from chaosproxy.experiment.model import Experiment
    from chaosproxy.steady_state.claims import Moment


@dataclass(frozen=True, slots=True)
class Span:
    """One fault on the clock of the run (t = 0 is the end of the warm-up), in seconds.

    ``at_s`` is an estimate when the fault waits for another one: what counts then is that one's real time.
    """

    fault: FaultEntry
    targets: tuple[str, ...]
    at_s: float
    end_s: float

    @property
    def lasts_s(self) -> float:
        """Planned duration."""
        return self.end_s - self.at_s

    @property
    def begins(self) -> str:
        """``6s``, or ``part.healed + 2s``."""
        if self.fault.after is None:
            return format_duration(self.at_s)
        return f"{self.fault.after} + {format_duration(self.fault.delay)}" if self.fault.delay else self.fault.after


def planned(experiment: Experiment) -> tuple[Span, ...]:
    """The spans of all faults whose begin can be computed, in the order of the file."""
    begins = planned_begins(experiment.faults, experiment.timeline.faults_end_s)
    spans = []
    for fault in experiment.faults:
        at_s = begins[fault.id]
        if at_s is not None:
            spans.append(Span(fault, targets_of(experiment, fault), at_s, end_of(fault, at_s, experiment)))
    return tuple(spans)


def planned_begins(faults: Iterable[FaultEntry], faults_end_s: float) -> dict[str, float | None]:
    """When each fault begins; None for one that waits for itself, or for a fault that is not there."""
    known: dict[str, FaultEntry] = {}
    for fault in faults:
        known.setdefault(fault.id, fault)
    begins: dict[str, float | None] = {}
    for fault in known.values():
        chain: list[FaultEntry] = []
        here: FaultEntry | None = fault
        while here is not None and here not in chain and here.id not in begins:
            chain.append(here)
            here = known.get(here.follows) if here.follows else None
        for link in reversed(chain):
            begins[link.id] = _begin(link, known, begins, faults_end_s)
    return begins


def _begin(
    fault: FaultEntry, known: dict[str, FaultEntry], begins: dict[str, float | None], faults_end_s: float
) -> float | None:
    if fault.follows is None:
        return fault.at
    base = begins.get(fault.follows)
    if base is None:
        return None
    other = known[fault.follows]
    if fault.after == f"{other.id}.healed":
        base = faults_end_s if other.lasts is None else base + other.lasts
    return base + fault.delay


def end_of(fault: FaultEntry, at_s: float, experiment: Experiment) -> float:
    """When a fault that begins at ``at_s`` is planned to heal."""
    return at_s + fault.lasts if fault.lasts is not None else max(at_s, experiment.timeline.faults_end_s)


def targets_of(experiment: Experiment, fault: FaultEntry) -> tuple[str, ...]:
    """The backends that a fault is for: by name, else by role; in the order of the file."""
    backends = experiment.topology.backends
    roles = {word for word in fault.target if word not in backends}
    return tuple(name for name, backend in backends.items() if name in fault.target or backend.role in roles)


def planned_time(experiment: Experiment, moment: Moment) -> float | None:
    """When a moment is planned to come, in seconds after t = 0; None when that is not known."""
    timeline = experiment.timeline
    begins = planned_begins(experiment.faults, timeline.faults_end_s)
    if (fault_id := fault_of(moment)) is not None:
        fault = next((fault for fault in experiment.faults if fault.id == fault_id), None)
        at_s = begins.get(fault_id)
        if fault is None or at_s is None:
            return None
        return (at_s if moment.mark.endswith(".applied") else end_of(fault, at_s, experiment)) + moment.offset_s
    marks = {
        "start": -timeline.warmup,
        "origin": 0.0,
        "injection": min((at_s for at_s in begins.values() if at_s is not None), default=timeline.lasts),
        "tail": timeline.faults_end_s,
        "over": timeline.lasts,
    }
    return marks[moment.mark] + moment.offset_s if moment.mark in marks else None


GANTT_WIDTH = 50
"""Characters for the whole timeline."""


def gantt(experiment: Experiment, width: int = GANTT_WIDTH) -> list[str]:
    """A line per fault under a scale, and the warm-up, gate and tail above; for terminals.

    ::

        t           0s             10s            20s
        part        .......#########............  primary: 6s for 8s
    """
    timeline = experiment.timeline
    spans = planned(experiment)
    label = max([len(span.fault.id) for span in spans] + [len("quiet tail")])

    def bar(start_s: float, end_s: float, mark: str) -> str:
        first = min(width - 1, max(0, int(start_s / timeline.lasts * width)))
        last = max(first + 1, min(width, round(end_s / timeline.lasts * width)))
        return "." * first + mark * (last - first) + "." * (width - last)

    def line(name: str, drawn: str, words: str) -> str:
        return f"{name:<{label}}  {drawn}  {words}".rstrip()

    lines = [line("", "0s" + format_duration(timeline.lasts).rjust(width - 2), "")]
    if experiment.gate is not None:
        window = experiment.gate.window
        lines.append(line("gate", bar(0, window, "?"), f"0s for {format_duration(window)}"))
    for span in spans:
        mark = "~" if span.fault.flap else "#"
        words = f"{', '.join(span.targets)}: {span.begins} for {format_duration(span.lasts_s)}"
        lines.append(line(span.fault.id, bar(span.at_s, span.end_s, mark), words))
    if timeline.quiet_tail:
        words = f"{format_duration(timeline.faults_end_s)} for {format_duration(timeline.quiet_tail)}"
        lines.append(line("quiet tail", bar(timeline.faults_end_s, timeline.lasts, "="), words))
    return lines
