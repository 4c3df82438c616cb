"""What types cannot say: names that must exist, times that must fit, limits that the file sets to itself.

Every check works on the valid part of a file, so that one misspelt key does not hide an unknown target elsewhere; names
are looked up among all names that the file declares, valid or not.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from chaosproxy.experiment.check_claims import claim_problems
from chaosproxy.experiment.check_external import external_problems
from chaosproxy.experiment.check_faults import fault_problems
from chaosproxy.experiment.check_safety import safety_problems
from chaosproxy.experiment.check_toxics import toxics_problems
from chaosproxy.experiment.claims_of import answer_tokens
from chaosproxy.experiment.draft import Draft, Found
from chaosproxy.experiment.probe_kinds import ProcessProbe
from chaosproxy.experiment.references import hint
from chaosproxy.experiment.section import host_of, is_bare, is_tcp, is_url, tcp_problem, without_port
from chaosproxy.experiment.topology import Command, LabAvailability, LabGateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaosproxy.experiment.topology import Topology
    from chaosproxy.experiment.yaml_text import Path

_LISTENER = re.compile(r"\$\{listener\.([^{}]+)\}(/.*)?")


def check(draft: Draft) -> list[Found]:
    """Everything that is wrong with the valid part of a file."""
    return [
        *_topology(draft),
        *_attach(draft),
        *_loads(draft),
        *fault_problems(draft),
        *_probes(draft),
        *claim_problems(draft),
        *external_problems(draft),
        *toxics_problems(draft),
        *_heal(draft),
        *safety_problems(draft),
        *_hosts(draft),
    ]


def _topology(draft: Draft) -> Iterator[Found]:
    topology, systems = draft.experiment.topology, draft.systems
    entry = topology.entry
    if entry not in systems and not is_url(entry) and not _LISTENER.fullmatch(entry):
        what = "neither a system, nor an http or https URL, nor a listener (${listener.NAME})"
        yield Found(("topology", "entry"), f"{entry!r} is {what}{hint(entry, systems)}")
    if (match := _LISTENER.fullmatch(entry)) and (named := topology.backends.get(match[1])) and named.is_tcp:
        yield Found(("topology", "entry"), f"the load speaks HTTP, and {match[1]} is a TCP port ({named.upstream})")
    taken: dict[str, str] = {}
    for name, backend in topology.backends.items():
        path: Path = ("topology", "backends", name)
        if backend.is_tcp:
            if backend.system not in systems and (problem := tcp_problem(backend.upstream)) is not None:
                yield Found((*path, "upstream"), f"{problem}{hint(backend.system, systems, 'tcp://%s')}")
        elif backend.upstream not in systems and not is_url(backend.upstream):
            what = "neither a system nor an http or https URL"
            yield Found((*path, "upstream"), f"{backend.upstream!r} is {what}{hint(backend.upstream, systems)}")
        elif backend.upstream not in systems and not is_bare(backend.upstream):
            yield Found((*path, "upstream"), "an upstream has no user, password, query or fragment")
        if backend.listen in taken and not backend.listen.endswith(":0"):
            yield Found((*path, "listen"), f"{taken[backend.listen]} listens at {backend.listen} already")
        taken.setdefault(backend.listen, name)


def _attach(draft: Draft) -> Iterator[Found]:
    """On a system that others use, nobody guesses when it is enough."""
    topology, written = draft.experiment.topology, draft.raw(("abort",))
    if topology.attach is not None and topology.toxics.server is not None:
        words = "a proxy that runs already cannot be put behind a Toxiproxy server; leave out server, or attach"
        yield Found(("topology", "toxics", "server"), words)
    if topology.attach is None or len(written or ()) > len(draft.experiment.abort):
        return  # what is wrong with the others is said already
    told = {condition.when.measure == "elapsed" for _, condition in draft.aborts()}
    if told != {True, False}:
        lacking = "on elapsed" if True not in told else "on what users feel"
        lacking = lacking if told else "on what users feel, and one on elapsed"
        words = "a run that attaches to a proxy says itself when to abort"
        example = "[{when: error_rate > 50%, for: 5s}, elapsed > 3m]"
        yield Found(("abort",), f"{words}, and a condition {lacking} is missing, such as {example}")


def _loads(draft: Draft) -> Iterator[Found]:
    several = isinstance(draft.raw(("load",)), list)
    seen: set[str] = set()
    oracles: set[str] = set()
    for index, load in enumerate(draft.experiment.loads):
        path: Path = ("load", index) if several else ("load",)
        if load.id in seen:
            yield Found((*path, "id"), f"two loads are called {load.id!r}")
        seen.add(load.id)
        if load.oracle == "lab" and answer_tokens(draft.experiment) is None:
            words = "lab is for upstreams that are all lab backends with the same number of tokens"
            yield Found((*path, "oracle"), f"{words}, so that the right text of a call is known before it is sent")
        oracles.add(str(load.oracle))
        if len(oracles) == 2:
            oracles.add("said")
            yield Found((*path, "oracle"), "all loads of an experiment share one oracle")


def _probes(draft: Draft) -> Iterator[Found]:
    seen: set[str] = set()
    for path, probe in draft.probes():
        if probe.id in seen:
            yield Found((*path, "id"), f"two probes are called {probe.id!r}")
        seen.add(probe.id)
        if isinstance(probe, ProcessProbe) and probe.process.system not in (None, *draft.systems):
            name = probe.process.system or ""
            yield Found((*path, "process", "system"), f"no system is called {name!r}{hint(name, draft.systems)}")


def _heal(draft: Draft) -> Iterator[Found]:
    if draft.raw(("heal", "verify")) and draft.experiment.heal.verify and draft.raw(("gate",)) is None:
        yield Found(("heal", "verify"), "there is no gate in this file that could hold again")


def _hosts(draft: Draft) -> Iterator[Found]:
    allowed = draft.experiment.safety.allow_hosts
    if allowed is None:
        return
    for path, url in _urls(draft):
        speaks = tcp_problem(url) is None if is_tcp(url) else is_url(url)
        if speaks and not any(fnmatchcase(host_of(url), glob) for glob in allowed):
            yield Found(path, f"host {host_of(url)!r} is not in safety.allow_hosts ({', '.join(allowed)})")


def _urls(draft: Draft) -> Iterator[tuple[Path, str]]:
    """Everything that may be a URL which the run, or a gateway that it starts, will speak to."""
    yield from _topology_urls(draft.experiment.topology)
    for path, probe in draft.probes():
        for key, url in probe.hosts():
            yield (*path, key), url
    for path, notify in draft.notify():
        yield (*path, "webhook"), notify.webhook
    for name, system in draft.experiment.systems.items():
        match system:
            case LabGateway():
                for upstream, url in system.upstreams.items():
                    yield ("systems", name, "upstreams", upstream), url
            case LabAvailability():
                for keys, url in system.urls():
                    yield ("systems", name, *keys), url
            case Command(ready=ready) if ready is not None:
                yield ("systems", name, "ready", "http"), without_port(ready.http)


def _topology_urls(topology: Topology) -> Iterator[tuple[Path, str]]:
    yield ("topology", "entry"), topology.entry
    yield ("topology", "toxics", "server"), topology.toxics.server or ""
    if topology.attach is not None:
        yield ("topology", "attach", "control"), topology.attach.control
        return
    for name, backend in topology.backends.items():
        yield ("topology", "backends", name, "upstream"), backend.upstream
