"""A proxy that somebody else runs, driven as our own: over its control API, for one run, on the listeners of its file.

Its times are told on our clock. The connection may be cut, by our own faults too: then leases end what we began, and
we look again until they must have.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from chaosproxy.control.client import ControlClient
from chaosproxy.control.messages import Scope, Status
from chaosproxy.errors import ChaosError, PartFailed, RunAborted
from chaosproxy.experiment.model import Experiment
from chaosproxy.experiment.safety import Safety
from chaosproxy.experiment.section import host_of, is_local, is_url
from chaosproxy.journal.records import AnyRecord, Attached, FaultEdge
from chaosproxy.journal.shift import shifted
from chaosproxy.journal.traffic import ExchangeRecord, FaultHit, Underway
from chaosproxy.plan.rule import Rule
from chaosproxy.runner.announcing import programme_of
from chaosproxy.runner.clocks import Offset, compare
from chaosproxy.runner.conductor import everything_stopped

RENEWALS_PER_LEASE = 3
TRY_AGAIN_S = 0.2
LAST_RECORDS_WITHIN_S = 5.0
"""How long the last records of the run may take to come."""
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what a listener says that listens on all addresses


class Attachment:
    """As an async context manager: claims the listeners, and gives them back. All methods raise PartFailed."""

    def __init__(self, experiment: Experiment, run_id: str, seed: int, clock: Callable[[], float]) -> None:
        attach = experiment.topology.attach
        if attach is None:
            raise ValueError("attach")
        self._experiment = experiment
        self._run_id = run_id
        self._seed = seed
        self._clock = clock
        self.lease_s = experiment.safety.lease
        self._control = attach.control
        self._client = ControlClient(attach.control, attach.token, answer_s=max(1.0, self.lease_s / 2))
        faults = tuple(fault.id for fault in experiment.faults)
        self._scope = Scope(listeners=tuple(experiment.topology.backends), faults=faults)
        self._instance = ""
        self._after = ""
        self._offset = Offset(0.0, 0.0)
        self._read = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None
        self.origin: float | None = None
        """When t = 0 is on our clock; what the run is about is announced there with it."""
        self.urls: dict[str, str] = {}
        """Where each listener is, by name."""

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        try:
            await self._begin()
        except BaseException:
            await self._client.__aexit__()
            raise
        self._starting = asyncio.create_task(self._keep_claim())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._has_started()
        with suppress(ChaosError):  # then its lease does it
            await self._client.clear(self._run_id)
        await self._client.__aexit__()

    # as every proxy --------------------------------------------------------------------------------------------------

    async def apply(self, owner: str, rules: Sequence[Rule], *, lease_s: float, seed: int) -> None:
        """Make ``rules`` the whole set of the run; its claim goes on."""
        await self._client.apply(owner, rules, lease_s=lease_s, seed=seed, scope=self._scope)

    async def renew(self, owner: str, *, lease_s: float) -> None:
        """Nothing: ``held`` renews, whether faults are active or not."""

    async def clear(self, owner: str) -> None:
        """End all faults of the run; tried again as long as their leases may live."""
        until = self._clock() + self.lease_s + TRY_AGAIN_S
        while True:
            try:
                await self._client.apply(owner, [], lease_s=self.lease_s, seed=self._seed)
            except PartFailed:
                if self._clock() > until:
                    raise
                await asyncio.sleep(TRY_AGAIN_S)
            else:
                return

    async def active(self, owner: str) -> list[str]:
        """Its faults that are active now."""
        return await self._client.active(owner)

    async def underway(self) -> list[Underway]:
        """What is under way at our listeners, on our clock."""
        there = await self._client.underway()
        return [shifted(each, -self._offset.offset_s) for each in there if each.listener in self._scope.listeners]

    async def halted(self) -> str:
        """Why everything was stopped there; nothing where it was not."""
        return (await self._client.status()).halted

    # beside ----------------------------------------------------------------------------------------------------------

    async def held(self) -> None:
        """Renew faults and claim until cancelled. Raises PartFailed when the proxy was started anew, or is gone, and
        RunAborted when everything was stopped there.
        """
        self._has_started()
        heard_at = self._clock()
        with suppress(PartFailed):  # of an older version, which has no page
            await self._announce()
        while True:
            await asyncio.sleep(self.lease_s / RENEWALS_PER_LEASE)
            try:
                await self._client.renew(self._run_id, lease_s=self.lease_s)
                status = await self._client.status()
            except PartFailed as error:
                if self._clock() - heard_at > self.lease_s:
                    words = "for longer than a lease, so its faults have ended by themselves"
                    raise PartFailed(f"{error} ({words})") from None
                continue
            if status.instance != self._instance:
                raise PartFailed(f"the proxy at {self._control} was started anew in mid-run, and its faults are gone")
            if status.halted:
                raise RunAborted(everything_stopped(status.halted))
            heard_at = self._clock()

    async def _announce(self) -> None:
        if self.origin is not None:
            origin = self.origin + self._offset.offset_s
            await self._client.announce(self._run_id, programme_of(self._experiment, self._seed, origin))

    async def records(self) -> AsyncIterator[AnyRecord]:
        """What happens on our listeners, on our clock."""
        async for record in self._client.events(self._after, patience_s=2 * self.lease_s):
            self._read.set()
            if self._is_ours(record):
                yield shifted(record, -self._offset.offset_s)

    async def caught_up(self) -> None:
        """Wait until all has been read that the proxy has written by now. Raises PartFailed."""
        newest = (await self._client.status()).events
        try:
            async with asyncio.timeout(LAST_RECORDS_WITHIN_S):
                while _number(self._client.last_event) < _number(newest):
                    self._read.clear()
                    await self._read.wait()
        except TimeoutError:
            raise PartFailed("the last records of the proxy did not come") from None

    async def compared(self) -> Attached:
        """The two clocks, as they are now."""
        return self._record(await compare(self._their_time, self._clock))

    # inside ----------------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        status = await self._client.status()
        if problems := [*contradictions(self._experiment, status)]:
            raise PartFailed(f"{self._control} does not fit the file: {'; '.join(problems)}")
        self._instance, self._after = status.instance, status.events
        self._client.last_event = status.events
        self._offset = await compare(self._their_time, self._clock)
        host = host_of(self._control)
        self.urls = {name: _reachable(status.listeners[name].url, host) for name in self._scope.listeners}
        self.begun = self._record(self._offset, status)
        await self.apply(self._run_id, [], lease_s=self.lease_s, seed=self._seed)

    async def _keep_claim(self) -> None:
        """While the run starts its systems, which may take many times its lease."""
        while True:
            await asyncio.sleep(self.lease_s / RENEWALS_PER_LEASE)
            with suppress(PartFailed):  # ``held`` says so, if it goes on
                await self._client.renew(self._run_id, lease_s=self.lease_s)

    def _has_started(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None

    async def _their_time(self) -> float:
        return (await self._client.status()).mono

    def _record(self, offset: Offset, status: Status | None = None) -> Attached:
        upstreams = {} if status is None else {name: status.listeners[name].upstream for name in self._scope.listeners}
        return Attached(
            at=self._clock(),
            control=self._control,
            upstreams=upstreams,
            offset_s=offset.offset_s,
            error_s=offset.error_s + abs(offset.offset_s - self._offset.offset_s),
        )

    def _is_ours(self, record: AnyRecord) -> bool:
        match record:
            case FaultEdge():
                return bool(set(record.listeners) & set(self._scope.listeners))
            case FaultHit() | ExchangeRecord():
                return record.listener in self._scope.listeners
        return True


def _number(event: str) -> int:
    return int(event.rpartition("-")[2] or 0)


def _reachable(url: str, host: str) -> str:
    """A listener that listens on all addresses is found where its control API is."""
    parts = urlsplit(url)
    if parts.hostname not in _ANYWHERE:
        return url
    name = f"[{host}]" if ":" in host else host
    return urlunsplit(parts._replace(netloc=f"{name}:{parts.port}"))


def contradictions(experiment: Experiment, status: Status) -> Iterator[str]:
    """What the file says of its backends that is not so there; ``listen`` and ``upstream`` are the operator's."""
    known = ", ".join(status.listeners) or "none"
    for name, backend in experiment.topology.backends.items():
        listener = status.listeners.get(name)
        if listener is None:
            yield f"it has no listener {name!r}, but {known}"
            continue
        if backend.role and listener.role and backend.role != listener.role:
            yield f"{name} is {backend.role} in the file, and {listener.role} there"
        if "auto" not in (backend.dialect, listener.dialect) and backend.dialect != listener.dialect:
            yield f"{name} speaks {backend.dialect} in the file, and {listener.dialect} there"
        yield from _unsafe(experiment.safety, name, listener.upstream)


def _unsafe(safety: Safety, name: str, upstream: str) -> Iterator[str]:
    host = host_of(upstream)
    if safety.allow_hosts is not None and not any(fnmatchcase(host, glob) for glob in safety.allow_hosts):
        yield f"{name} stands before {host!r}, which is not in safety.allow_hosts"
    if is_url(upstream) and not is_local(upstream) and (lacking := safety.lacking_limits):
        words = f"{name} stands before {host!r}, somebody's machine, so safety must say how far the run may go"
        yield f"{words}; it misses {', '.join(lacking)}"
