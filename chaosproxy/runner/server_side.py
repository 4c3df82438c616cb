"""A run's Toxiproxy server, from the first question to the last removal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from chaosproxy.errors import PartFailed
from chaosproxy.experiment.model import Experiment
from chaosproxy.experiment.section import is_tcp
from chaosproxy.experiment.toxics import backends_there, faults_there, longest_s
from chaosproxy.journal.records import AnyRecord, Swept, Trouble
from chaosproxy.runner.toxic_line import ToxicLine
from chaosproxy.toxics.client import ToxiproxyServer
from chaosproxy.toxics.lease import new_lease
from chaosproxy.toxics.remote import Place, Remote, hostport

LOOPBACK = "127.0.0.1"


class ServerSide:
    """What the runner does with the server of a file. Raises PartFailed."""

    def __init__(self, experiment: Experiment, clock: Callable[[], float], record: Callable[[AnyRecord], None]) -> None:
        self._experiment = experiment
        self._clock = clock
        self._record = record
        self._there = faults_there(experiment)
        self._backends = backends_there(experiment)
        self._patience_s = experiment.heal.within
        self._remote: Remote | None = None
        self._places: dict[str, Place] = {}
        self.line: ToxicLine | None = None

    @property
    def faults(self) -> set[str]:
        """The ids of the faults that act there."""
        return set(self._there)

    @property
    def heal_within_s(self) -> float:
        """How much longer than a proxy of ours the server may take to heal."""
        return self._experiment.heal.within if self.line is not None else 0.0

    async def open(self, url: str) -> None:
        """See that the server is one, and remove what runs that are over have left there."""
        remote = Remote(ToxiproxyServer(url), new_lease(_wall(), longest_s(self._experiment)), _wall)
        for swept in await remote.open():
            self._record(Swept(at=self._clock(), server=url, name=swept.name, why=swept.why))
        self._remote = remote

    def listen(self, backend: str) -> str:
        """Where our own listener of a backend stands: behind the server, if that stands in front of it."""
        topology = self._experiment.topology
        if backend not in self._backends:
            return topology.backends[backend].listen
        return f"{topology.toxics.reach or LOOPBACK}:0"

    async def front(self, upstreams: Mapping[str, str], listeners: Mapping[str, str]) -> dict[str, str]:
        """Put a proxy of the server in front of each listener that needs one; their addresses, HOST:PORT, by backend.

        ``upstreams`` and ``listeners`` are URLs by backend.
        """
        if self._remote is None:
            return {}
        for backend in self._backends:
            self._places[backend] = await self._front(self._remote, backend, upstreams[backend], listeners[backend])
        self.line = ToxicLine(
            self._remote,
            self._places,
            self._there,
            clock=self._clock,
            record=self._record,
            heal_within_s=self._experiment.heal.within,
        )
        return {backend: place.address for backend, place in self._places.items()}

    def notice(self, record: AnyRecord) -> None:
        """Tell the faults there what our listeners saw."""
        if self.line is not None:
            self.line.notice(record)

    async def leave(self) -> str:
        """Remove all that is ours there; why that failed, or nothing."""
        if self._remote is None:
            return ""
        if self.line is not None:
            await self.line.close()
        try:
            await self._remote.leave(self._patience_s)
        except PartFailed as error:
            self._patience_s = 0.0
            return f"what this run made on the Toxiproxy server may still be there; the next run removes it: {error}"
        self._remote = None
        return ""

    async def abandon(self) -> None:
        """Leave at the end of a run that did not come to its own end."""
        if failure := await self.leave():
            self._record(Trouble(at=self._clock(), part="toxics", detail=failure))

    async def _front(self, remote: Remote, backend: str, upstream: str, listener: str) -> Place:
        listen = self._experiment.topology.backends[backend].listen
        theirs = await remote.users_proxy(listen, hostport(upstream))
        if theirs is not None:
            self._refuse_what_needs_our_own(backend, theirs.name)
            return remote.place_on(backend, theirs)
        if is_tcp(upstream):
            return await remote.front(backend, listen, hostport(upstream), seen=False)
        port = hostport(listener).rpartition(":")[2]
        ours = f"{self._experiment.topology.toxics.reach or LOOPBACK}:{port}"
        return await remote.front(backend, listen, ours, seen=True)

    def _refuse_what_needs_our_own(self, backend: str, proxy: str) -> None:
        """A proxy of the user's is never disabled, and nothing of ours stands behind it."""
        for span in self._experiment.spans():
            fault = span.fault
            if backend not in span.targets:
                continue
            what, whose = self._there.get(fault.id), f"the user's own proxy {proxy!r} on the Toxiproxy server"
            if what is None:
                raise PartFailed(f"fault {fault.id!r}: {backend} is {whose}, which does not pass our listener")
            if what.owns_proxy:
                raise PartFailed(f"fault {fault.id!r}: {fault.do.type} would disable {whose}; choose another listen")


def _wall() -> float:
    return time.time()  # noqa: TID251 - leases must mean the same to every host
