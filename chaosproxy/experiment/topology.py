"""``systems`` and ``topology``: what the run starts, and where our listeners stand."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field, field_validator

from chaosproxy.errors import BadValue
from chaosproxy.experiment.availability_settings import AvailabilitySettings
from chaosproxy.experiment.lab_settings import BackendSettings, GatewaySettings
from chaosproxy.experiment.section import (
    Host,
    Listen,
    Name,
    Section,
    TlsFiles,
    is_bare,
    is_tcp,
    is_url,
    without_port,
    without_scheme,
)
from chaosproxy.units import Duration
from chaosproxy.wire.dialects.names import DialectName


class LabBackend(BackendSettings):
    """A mock LLM server of the lab."""

    lab: Literal["backend"]
    """Which part of the lab."""


class LabGateway(GatewaySettings):
    """A gateway of the lab."""

    lab: Literal["gateway"]
    """Which part of the lab."""


class LabAvailability(AvailabilitySettings):
    """A model-availability system of the lab."""

    lab: Literal["availability"]
    """Which part of the lab."""


class Ready(Section):
    """When a started command counts as ready."""

    http: str
    """A URL that must answer with a status below 400; ``${port}`` is the free port that was chosen."""
    within: Annotated[Duration, Field(gt=0)] = 30.0
    """How long that may take."""

    @field_validator("http")
    @classmethod
    def _is_a_url(cls, http: str) -> str:
        if not is_url(without_port(http)):
            raise BadValue(f"expected an http or https URL, such as http://127.0.0.1:${{port}}/health, got {http!r}")
        return http


class Command(Section):
    """Any program that the run starts before the warm-up and ends after the heal."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """Program and arguments, no shell; ``${port}`` is a free port that is chosen for it."""
    ready: Ready | None = None
    """When it is ready; without it, as soon as its port accepts a connection."""
    env: dict[str, str] = Field(default_factory=dict)
    """Variables beside those of the run's own environment."""


_LAB: dict[str, type[BaseModel]] = {"backend": LabBackend, "gateway": LabGateway, "availability": LabAvailability}

_A_SYSTEM = (
    "a system is a part of the lab {lab: backend}, {lab: gateway}, {lab: availability}, or a program "
    "{command: [name, argument]}"
)


def _system(value: Any) -> Any:
    """Choose the model by hand, so that messages speak of one kind of system only."""
    if isinstance(value, BaseModel):
        return value
    if not isinstance(value, dict):
        raise BadValue(_A_SYSTEM)
    if "lab" in value:
        if not isinstance(value["lab"], str) or value["lab"] not in _LAB:
            raise BadValue(f"the lab has a backend, a gateway and an availability system, got {value['lab']!r}")
        return _LAB[value["lab"]].model_validate(value)
    if "command" in value:
        return Command.model_validate(value)
    raise BadValue(_A_SYSTEM)


System: TypeAlias = Annotated[LabBackend | LabGateway | LabAvailability | Command, BeforeValidator(_system)]
"""One entry of ``systems``."""


class Backend(Section):
    """One listener of ours and the upstream behind it."""

    listen: Listen = "127.0.0.1:0"
    """HOST:PORT; ``:9001`` is loopback, port 0 a free one."""
    upstream: str
    """A URL, or the name of a system; ``tcp://HOST:PORT``, or ``tcp://SYSTEM``, for a port that speaks no HTTP."""
    role: Name | None = None
    """What faults and the linter may call it: ``primary`` gets the traffic, a ``fallback`` only while no other can."""
    dialect: DialectName = "auto"
    """What is spoken behind the listener; ``auto`` tells it from each request's path."""
    tls: TlsFiles | None = None
    """Clients speak https (``${listener.NAME}`` says so), and are shown this certificate. Relative paths are meant from
    the experiment's own folder."""

    @property
    def is_tcp(self) -> bool:
        """Whether bytes pass there, and no HTTP."""
        return is_tcp(self.upstream)

    @property
    def system(self) -> str:
        """What its upstream is called, if it is a system."""
        return without_scheme(self.upstream)


class Toxics(Section):
    """Where toxics act: on a Toxiproxy server, in front of our listeners. Without one, in our own proxy."""

    server: str | None = None
    """The URL of its API, such as http://toxiproxy:8474, or the name of a system."""
    reach: Host | None = None
    """This machine as the server sees it; the listeners behind the server stand there. A server on loopback sees
    loopback."""


class Attach(Section):
    """A proxy that runs already, instead of our own."""

    control: str
    """The URL of its control API."""
    token: str | None = Field(default=None, repr=False, min_length=1)
    """Its token: ``${env:CHAOSPROXY_TOKEN}``, never the token itself."""

    @field_validator("control")
    @classmethod
    def _is_a_url(cls, control: str) -> str:
        if not is_url(control) or not is_bare(control):
            raise BadValue("expected an http or https URL without user or query, such as http://chaos.staging:8666")
        return control.rstrip("/")


class Topology(Section):
    """Who talks to whom: clients -> entry -> our listeners -> upstreams."""

    entry: str
    """Where the load goes: a system, a URL, or a listener below (``${listener.NAME}``), before a backend or before the
    system itself. What the system calls must be the listeners below, not the upstreams behind them. With
    ``load: {external: true}`` it is the listener at which clients are seen; its upstream is the system under test, and
    the others stand behind that."""
    backends: Annotated[dict[Name, Backend], Field(min_length=1)]
    """Listener and upstream by name."""
    ca: Annotated[str, Field(min_length=1)] | None = None
    """A PEM file of certificate authorities that the run trusts beside the system's: its listeners for https upstreams,
    its load and its lab gateways for https listeners. A relative path is meant from the experiment's own folder."""
    toxics: Toxics = Toxics()
    """The Toxiproxy server, if one is to be used."""
    attach: Attach | None = None
    """Drive a proxy that runs already: backends are its listeners of the same names, and what the file says of their
    ``listen`` and ``upstream`` is not used. The file must say when to abort."""

    @property
    def spoken(self) -> dict[str, Backend]:
        """Those that speak HTTP: whom the load may reach."""
        return {name: backend for name, backend in self.backends.items() if not backend.is_tcp}
