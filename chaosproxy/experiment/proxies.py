"""The file of `chaosproxy serve --config`: listeners with faults that act from the start, and no experiment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from chaosproxy.errors import BadValue
from chaosproxy.experiment.section import FaultId, Listen, Name, Section, TlsFiles, is_bare, is_tcp, is_url, tcp_problem
from chaosproxy.faults import AnyFault
from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import Flap, Match, PositiveInt, Rule, free_id
from chaosproxy.units import Duration, Flag, Share
from chaosproxy.wire.dialects.names import DialectName


def _url(text: str) -> str:
    if is_tcp(text):
        if (problem := tcp_problem(text)) is not None:
            raise BadValue(problem)
    elif not is_url(text):
        raise BadValue(f"expected an http or https URL, or tcp://HOST:PORT, got {text!r}")
    elif not is_bare(text):
        raise BadValue("an upstream has no user, password, query or fragment")
    return text


def _from_flat(value: Any) -> Any:
    """One line, as on the command line, or a mapping."""
    if not isinstance(value, str):
        return value
    values = parse_flat(value)
    if "listeners" in values:
        raise BadValue("target: the fault stands under its listener already")
    return values


class ListenerFault(Section):
    """A fault that acts from the start."""

    id: FaultId | None = None
    """Its name in journals and on pages. Default: its listener and type."""
    do: AnyFault
    """The fault: ``{type: NAME, setting: value}``."""
    match: Match = Match()
    """Which requests it is for; without it, all."""
    share: Share = 1.0
    """What part of the matching requests is hit."""
    flap: Flap | None = None
    """Down for a while (the fault acts), up for a while, again and again."""
    streams: Literal["new", "all"] = "new"
    """``all``: also streams that are open when it begins, as after each ``up`` of a flap."""
    max_hits: PositiveInt | None = None
    """After so many hits it does nothing more."""
    lasts: Annotated[Duration, Field(gt=0)] | None = None
    """It ends so long after the start; without it, never."""

    def rule(self, rule_id: str, listener: str) -> Rule:
        """The fault as the proxy gets it. Raises pydantic.ValidationError when its parts contradict each other."""
        return Rule(
            id=rule_id,
            listeners=(listener,),
            do=self.do,
            match=self.match,
            share=self.share,
            flap=self.flap,
            streams=self.streams,
            max_hits=self.max_hits,
            lasts=self.lasts,
        )


FaultLine: TypeAlias = Annotated[ListenerFault, BeforeValidator(_from_flat, json_schema_input_type=str | ListenerFault)]
"""A mapping, or one line: ``stream.truncate where=token:5 share=20%``."""


class ProxyListener(Section):
    """One address of ours in front of one upstream."""

    listen: Listen = "127.0.0.1:0"
    """HOST:PORT; ``:9001`` is loopback, port 0 a free one."""
    upstream: Annotated[str, AfterValidator(_url)]
    """An http or https URL, whose path comes before every request's path; or ``tcp://HOST:PORT`` for any other port."""
    dialect: DialectName = "auto"
    """What is spoken behind it; ``auto`` tells it from each request's path."""
    role: Name | None = None
    """A second name for it."""
    tls: TlsFiles | None = None
    """Clients speak https, and are shown this certificate. Relative paths are meant from where ``serve`` is started."""
    faults: tuple[FaultLine, ...] = ()
    """What is done to its traffic."""


class ProxiesFile(Section):
    """Several listeners in one process."""

    listeners: Annotated[dict[Name, ProxyListener], Field(min_length=1)]
    """Listeners by name."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    """Every random choice derives from it. Default: a random one, printed."""
    ca: Annotated[str, Field(min_length=1)] | None = None
    """A PEM file of certificate authorities for https upstreams, trusted beside the system's."""
    connections_max: PositiveInt | None = None
    """Open client connections of all listeners; one more gets a 503. Default: as descriptors allow, at most 10000."""
    allow_header_faults: Flag = False
    """Whether a request may ask for faults of its own, with the header ``x-chaosproxy-fault``."""

    def rules(self) -> tuple[Rule, ...]:
        """All faults, in the order of the file."""
        return tuple(fault.rule(name, listener) for name, listener, _, fault in self.named())

    def named(self) -> Iterator[tuple[str, str, int, ListenerFault]]:
        """Each fault with its id, its listener and its number there."""
        taken = {fault.id for listener in self.listeners.values() for fault in listener.faults if fault.id is not None}
        for name, listener in self.listeners.items():
            for index, fault in enumerate(listener.faults):
                rule_id = fault.id or free_id(f"{name}-{fault.do.type.replace('.', '-')}", taken)
                taken.add(rule_id)
                yield rule_id, name, index, fault
