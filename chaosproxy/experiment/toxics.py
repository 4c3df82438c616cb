"""Which faults of a file act on its Toxiproxy server, and where: all other parts ask here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaosproxy.experiment.timeline import targets_of
from chaosproxy.faults.base import Gate
from chaosproxy.plan.on_server import Hits, OnServer, is_toxic, on_server

if TYPE_CHECKING:
    from chaosproxy.experiment.entries import FaultEntry
    from chaosproxy.experiment.model import Experiment

SLACK_S = 120.0
"""What we put on a server may stay so long beyond the longest time that the run can take."""
UNSEEN = "a Toxiproxy server counts no hits, and no listener of ours stands behind it"
UNKNOWN_HITS = "the Toxiproxy server does not say which connections its toxicity chose"


def there(experiment: Experiment, fault: FaultEntry) -> OnServer | None:
    """What a fault is on the file's server; None when it acts in a proxy of ours."""
    if experiment.topology.toxics.server is None or not (is_toxic(fault.do) or fault.do.needs_server):
        return None
    return on_server(fault.do)


def faults_there(experiment: Experiment) -> dict[str, OnServer]:
    """The faults that act on the file's server, by id."""
    found = {fault.id: there(experiment, fault) for fault in experiment.faults}
    return {fault_id: what for fault_id, what in found.items() if what is not None}


def backends_there(experiment: Experiment) -> list[str]:
    """The backends that get a proxy on the server: those that such a fault aims at."""
    faults = faults_there(experiment)
    aimed_at = {target for fault in experiment.faults if fault.id in faults for target in targets_of(experiment, fault)}
    return [name for name in experiment.topology.backends if name in aimed_at]


def leaves_no_trace(experiment: Experiment, fault: FaultEntry) -> bool:
    """Whether nothing can be counted where it hits."""
    what = there(experiment, fault)
    return fault.do.gate() is Gate.REFUSE if what is None else what.hits is Hits.NO_TRACE


def why_unknown(experiment: Experiment, fault: FaultEntry) -> str:
    """Why nobody can know whom it hits; nothing for most."""
    what = there(experiment, fault)
    if what is None:
        return ""
    backends = experiment.topology.backends
    if all(backends[target].is_tcp for target in targets_of(experiment, fault)):
        return UNSEEN
    return UNKNOWN_HITS if what.hits is Hits.UNKNOWN else ""


def why_uncounted(experiment: Experiment, fault: FaultEntry) -> str:
    """Why its hits cannot be counted, to be put behind its id; nothing for most."""
    if why_unknown(experiment, fault):
        return "acts on the Toxiproxy server, which does not say on whom"
    if not leaves_no_trace(experiment, fault):
        return ""
    if fault.do.gate() is Gate.REFUSE:
        return "refuses connections, and a refused one leaves no trace to count"
    return "keeps requests on the Toxiproxy server, where they leave no trace to count"


def longest_s(experiment: Experiment) -> float:
    """When even the slowest run of it is over: the lease of what it puts on a server."""
    limits = [abort.when.value for abort in experiment.claims().aborts if abort.when.measure == "elapsed"]
    drain_s = 0.0 if experiment.external is None else experiment.external.drain
    calls_s = max([drain_s, *(load.longest_timeout_s * load.requests_each for load in experiment.loads)])
    return max([*limits, experiment.planned_s]) + 2 * calls_s + experiment.heal.within + SLACK_S
