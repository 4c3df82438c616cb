"""From an entry of ``probes`` to the function that looks once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from chaosproxy.experiment.probe import Probe, ProbeEntry, Scene, Seen
from chaosproxy.experiment.probe_kinds import (
    CommandProbe,
    DiskProbe,
    HttpProbe,
    LogProbe,
    ProcessProbe,
    PrometheusProbe,
    PythonProbe,
    TcpProbe,
)
from chaosproxy.experiment.references import fill
from chaosproxy.probes import command, disk, http, log, process, prometheus, python, tcp

Look: TypeAlias = Callable[[], Awaitable[Seen]]
"""Looks once; it may be cancelled, and an exception means that it could not look."""


async def begin(probe: ProbeEntry, scene: Scene) -> Look:
    """Make ready to look; what a probe must know of the beginning of the run is taken down now.

    Raises UserError and pydantic.ValidationError for settings that do not fit once the run's facts are put in.
    """
    return await _begin(filled(probe, scene), scene)


def filled(probe: ProbeEntry, scene: Scene) -> ProbeEntry:
    """The probe with ``${entry}`` and its like put in."""
    text = probe.model_dump_json(by_alias=True, exclude_unset=True)
    return type(probe).model_validate_json(fill(text, scene.facts)) if "${" in text else probe


async def _begin(probe: ProbeEntry, scene: Scene) -> Look:  # noqa: PLR0911 - one line per kind
    match probe:
        case HttpProbe():
            return partial(http.look, probe)
        case TcpProbe():
            return partial(tcp.look, probe)
        case PrometheusProbe():
            return partial(prometheus.look, probe)
        case CommandProbe():
            return partial(command.look, probe)
        case PythonProbe():
            return python.begin(probe)
        case LogProbe():
            return await log.begin(probe)
        case ProcessProbe():
            return await process.begin(probe, scene)
        case DiskProbe():
            return partial(disk.look, probe)
        case Probe():
            return partial(probe.look, scene)
    raise TypeError(probe.kind)
