"""A proxy with its control API as one process: what ``chaosproxy serve`` runs."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosproxy import __version__
from chaosproxy.control.desk import Clocks, Desk
from chaosproxy.control.events import EventLog
from chaosproxy.control.stop_file import watching
from chaosproxy.dice import Dice
from chaosproxy.errors import UserError
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import VERSION, Opened
from chaosproxy.lab.part import announce, leash_ends, signals_end
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.capacity import allow_files
from chaosproxy.proxy.journal_file import JournalFile
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy

if TYPE_CHECKING:
    from chaosproxy.control.api import ControlApi
    from chaosproxy.control.experiments import ExperimentFolder
    from chaosproxy.control.figures import Figures
    from chaosproxy.control.metrics import Metrics

OWNER = "start"
"""Who owns the faults that a proxy is started with; they have no lease."""


@dataclass(frozen=True, slots=True)
class Service:
    """What ``serve`` runs. ``rules`` act from the start; ``control`` is the address of the control API, if any.

    ``connections_max`` is a number of client connections; None: as many as file descriptors allow, within reason.
    ``allow_header_faults`` lets requests ask for faults of their own. While ``stop_file`` exists, nothing is injected.
    ``metrics_compat`` shows the metrics on the ports that carry traffic, too. ``otel_endpoint`` is the URL that gets a
    span of each exchange. ``experiments`` is a folder with files that the live page can start, ``plugins`` are given to
    these runs.
    """

    listeners: Sequence[ListenerSpec]
    rules: Sequence[Rule] = ()
    seed: int = 0
    control: str | None = None
    token: str | None = None
    journal: Path | None = None
    ca: str | None = None
    connections_max: int | None = None
    allow_header_faults: bool = False
    stop_file: Path | None = None
    metrics_compat: bool = False
    otel_endpoint: str | None = None
    experiments: Path | None = None
    plugins: Sequence[str] = ()


async def serve(
    service: Service,
    *,
    leash: bool = False,
    on_ready: Callable[..., None] = announce,
    on_entry: Callable[[Entry], None] | None = None,
) -> str:
    """Run a proxy until SIGTERM, SIGINT or, on a ``leash``, EOF of stdin; which of them is returned.

    ``on_ready`` gets the facts of the ready line (``listeners``, ``seed``, ``control``), ``on_entry`` each
    journal entry. Raises UserError for what cannot be, PartFailed for a busy port.
    """
    opened = _opened()
    writers = [] if on_entry is None else [on_entry]

    def record(entry: Entry) -> None:
        for write in writers:
            write(entry)

    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack:
        stack.enter_context(signals_end(told))
        if leash:
            await stack.enter_async_context(leash_ends(told))
        if service.journal is not None:
            writers.append(stack.enter_context(JournalFile(service.journal, opened)).write)
        allow_files(service.connections_max)
        limits = Limits(connections=service.connections_max)
        header_dice = Dice(service.seed) if service.allow_header_faults else None
        proxy = Proxy(service.listeners, record=record, limits=limits, ca=service.ca, header_dice=header_dice)
        desk = _desk(proxy, opened, writers, service)
        if service.stop_file is not None:
            await stack.enter_async_context(watching(service.stop_file, partial(desk.halt, "stop-file")))
        port = _Port(service, desk, proxy, writers)
        facts = await port.open(stack)
        if service.otel_endpoint is not None:
            writers.append(await stack.enter_async_context(_spans(service.otel_endpoint, opened)))
        await stack.enter_async_context(proxy)
        await stack.enter_async_context(port.folder or nullcontext())  # its run heals while the proxy is still there
        if not desk.halted:
            proxy.apply(service.rules, owner=OWNER, lease_s=float("inf"), seed=service.seed)
        on_ready(listeners=_addresses(proxy), seed=service.seed, **facts)
        return await told


def _desk(proxy: Proxy, opened: Opened, writers: list[Callable[[Entry], None]], service: Service) -> Desk:
    events = EventLog(opened)
    if service.control is not None:
        writers.append(events.add)
    return Desk(proxy, events, Clocks(time.monotonic, _wall))


def _spans(endpoint: str, opened: Opened) -> AbstractAsyncContextManager[Callable[[Entry], None]]:
    try:
        from chaosproxy.control.spans import exporting  # noqa: PLC0415 - it needs an optional package
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise UserError("--otel-endpoint needs OpenTelemetry: pip install 'chaosproxy[otel]'") from None

    return exporting(endpoint, opened)


class _Port:
    """What stands on the control port, made of packages that are imported only for those who want them. Raises
    UserError when experiments have no port to drive the proxy through.
    """

    def __init__(self, service: Service, desk: Desk, proxy: Proxy, writers: list[Callable[[Entry], None]]) -> None:
        self._service = service
        self._desk = desk
        self._proxy = proxy
        self._writers = writers
        self.folder: ExperimentFolder | None = None
        if service.experiments is not None:
            from chaosproxy.control.experiments import ExperimentFolder  # noqa: PLC0415

            if service.control is None:
                raise UserError("--experiments needs --control: they are started on its page, and drive its API")
            self.folder = ExperimentFolder(service.experiments, service.token, service.plugins)

    async def open(self, stack: AsyncExitStack) -> dict[str, Any]:
        """What is to be said of it in the ready line. Raises PartFailed for a busy port."""
        service = self._service
        if service.control is None and not service.metrics_compat:
            return {}
        from chaosproxy.control.figures import Figures  # noqa: PLC0415
        from chaosproxy.control.metrics import Metrics  # noqa: PLC0415

        figures = Figures(time.monotonic)
        self._writers.append(figures.add)
        metrics = Metrics(figures, self._proxy)
        if service.metrics_compat:
            self._proxy.show(metrics.on_data_port)
        if service.control is None:
            return {}
        url = (await stack.enter_async_context(self._api(service.control, figures, metrics))).url
        if self.folder is not None:
            self.folder.control = url
        return {"control": url}

    def _api(self, listen: str, figures: Figures, metrics: Metrics) -> ControlApi:
        from chaosproxy.control.api import ControlApi  # noqa: PLC0415
        from chaosproxy.control.page.chronicle import Chronicle  # noqa: PLC0415
        from chaosproxy.control.page.site import OPEN_PATHS, Site  # noqa: PLC0415
        from chaosproxy.control.page.viewing import Viewer  # noqa: PLC0415

        chronicle, token = Chronicle(), self._service.token
        self._writers.append(chronicle.add)
        viewer = Viewer(self._desk, self._proxy, figures, chronicle, self.folder)
        routes = (*metrics.routes(), *Site(viewer, self.folder, needs_token=token is not None).routes())
        return ControlApi(
            self._desk, time.monotonic, listen=listen, token=token, more_routes=routes, open_paths=OPEN_PATHS
        )


def _addresses(proxy: Proxy) -> dict[str, dict[str, str]]:
    urls = proxy.urls
    return {spec.name: {"url": urls[spec.name], "upstream": spec.upstream} for spec in proxy.listeners}


def _wall() -> float:
    return time.time()  # noqa: TID251 - for the opening record and for dates


def _opened() -> Opened:
    return Opened(
        version=VERSION,
        process="proxy",
        host=socket.gethostname(),
        pid=os.getpid(),
        mono=time.monotonic(),
        wall=_wall(),
        chaosproxy=__version__,
    )
