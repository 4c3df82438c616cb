"""Checks of ``topology.toxics`` and of the faults that act there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chaosproxy.experiment.draft import Draft, Found
from chaosproxy.experiment.references import hint
from chaosproxy.experiment.section import TLS, host_of, is_bare, is_loopback, is_url
from chaosproxy.experiment.toxics import backends_there, there
from chaosproxy.faults.admission.partition import Partition
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.faults.toxic.down import ToxicDown
from chaosproxy.faults.toxic.slicer import ToxicSlicer
from chaosproxy.plan.rule import Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaosproxy.experiment.entries import FaultEntry
    from chaosproxy.experiment.yaml_text import Path
    from chaosproxy.faults.base import Fault

_SERVER: Path = ("topology", "toxics", "server")
_REACH: Path = ("topology", "toxics", "reach")
OWN_PORT = 8474
"""Toxiproxy's own, unless it is told another one."""


def toxics_problems(draft: Draft) -> Iterator[Found]:
    """Everything that is wrong with the use of a Toxiproxy server."""
    toxics = draft.experiment.topology.toxics
    if toxics.server is None:
        if toxics.reach is not None:
            yield Found(_REACH, "there is no server that could reach it; name it with server: http://HOST:8474")
    elif toxics.server not in draft.systems:
        problem = _server_problem(draft, toxics.server)
        if problem is not None:
            yield problem
        elif not is_loopback(host_of(toxics.server)):
            yield from _elsewhere(draft, toxics.server)
    if toxics.server is not None:
        yield from _secured(draft)
    for path, fault in draft.faults():
        yield from _fault(draft, path, fault)


def _secured(draft: Draft) -> Iterator[Found]:
    """A TCP port there is the server's own, not ours, and it passes bytes on as they are."""
    for name in backends_there(draft.experiment):
        backend = draft.experiment.topology.backends[name]
        if backend.is_tcp and (backend.upstream.startswith(TLS) or backend.tls is not None):
            words = "a Toxiproxy server speaks no TLS; let client and upstream do it, with tcp:// here and no tls"
            yield Found(("topology", "backends", name, "upstream"), words)


def _server_problem(draft: Draft, server: str) -> Found | None:
    if not is_url(server):
        what = f"neither a system nor an http URL, such as http://127.0.0.1:{OWN_PORT}"
        return Found(_SERVER, f"{server!r} is {what}{hint(server, draft.systems)}")
    url = urlsplit(server)
    if url.scheme == "https":
        return Found(_SERVER, "a Toxiproxy server speaks http only")
    if not is_bare(server) or url.path not in ("", "/"):
        return Found(_SERVER, "an address only, such as http://toxiproxy:8474: no user, password, path or query")
    if url.port is None:
        return Found(_SERVER, f"it names no port; Toxiproxy's own is {OWN_PORT}: http://{url.netloc}:{OWN_PORT}")
    return None


def _elsewhere(draft: Draft, server: str) -> Iterator[Found]:
    """A server on another machine, or in another container: loopback there is not ours."""
    host, topology = host_of(server), draft.experiment.topology
    behind = [name for name in backends_there(draft.experiment) if not topology.backends[name].is_tcp]
    if behind and topology.toxics.reach is None:
        words = f"the server at {host} cannot reach our listeners on loopback"
        yield Found(_SERVER, f"{words}; say with reach: HOST what this machine is called there")
    elif behind and topology.toxics.reach is not None and is_loopback(topology.toxics.reach):
        yield Found(_REACH, f"for the server at {host}, loopback is that machine itself, not this one")
    for name in backends_there(draft.experiment):
        listen = topology.backends[name].listen
        if is_loopback(listen.rpartition(":")[0]):
            words = f"the server at {host} would listen on its own loopback, where only it can connect"
            yield Found(("topology", "backends", name, "listen"), f"{words}; write 0.0.0.0:PORT")


def _in_its_numbers(path: Path, do: Fault) -> Iterator[Found]:
    """What a server's whole numbers cannot say, and what it dies of."""
    if isinstance(do, ToxicSlicer) and do.average_size == 0:
        yield Found((*path, "do"), "a Toxiproxy server dies of a slicer without average_size; write one")
    if isinstance(do, ToxicDown) and do.toxicity < 1:
        yield Found(
            (*path, "do", "toxicity"), "a Toxiproxy server closes a port for everybody, not for a share of them"
        )
    if isinstance(do, Toxic):
        for name, number in do.attributes().items():
            unit = do.attribute_units[name]
            if abs(getattr(do, name) - number * unit) > _EXACT * unit:
                words = f"a Toxiproxy server counts in whole {_UNITS[unit]}"
                yield Found((*path, "do", name), f"{words}: this would be {number}")


_EXACT = 1e-6
_UNITS = {0.001: "milliseconds", 0.000001: "microseconds", 1: "numbers"}


def _fault(draft: Draft, path: Path, fault: FaultEntry) -> Iterator[Found]:
    do = fault.do
    if do.needs_server and draft.experiment.topology.toxics.server is None:
        words = "via: toxiproxy needs a server, with topology.toxics.server: http://HOST:8474"
        yield Found((*path, "do", "via"), f"{words}; via: proxy cuts at our own listeners")
        return
    if there(draft.experiment, fault) is None:
        return
    if isinstance(do, Partition) and do.live_streams != "cut":
        words = "Toxiproxy acts on every connection and forgets what it held back, so open streams cannot"
        what = "be left alone" if do.live_streams == "keep" else "go on after the heal"
        yield Found((*path, "do"), f"live_streams: {do.live_streams}: {words} {what}; write live_streams: cut")
    yield from _in_its_numbers(path, do)
    if isinstance(do, Toxic) or do.gate() is not None:
        return  # its rule says so wherever it acts
    asks = [("match", fault.match != Match()), ("share", fault.share < 1), ("max_hits", fault.max_hits is not None)]
    for key, asked in asks:
        if asked:
            yield Found((*path, key), "a Toxiproxy server knows connections only, no requests")
