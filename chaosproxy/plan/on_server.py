"""A fault in the words of a Toxiproxy server: which toxics it is there, and what can be told of its hits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from chaosproxy.faults.admission.partition import Partition
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.faults.toxic.down import ToxicDown

if TYPE_CHECKING:
    from chaosproxy.faults.base import Fault

_SWALLOWS = ("timeout", "reset_peer", "limit_data")
"""Upstream, these may keep a request from arriving."""


class Hits(Enum):
    """What a run can know about the hits of a fault on a server, which counts none."""

    SEEN = "seen"  # requests come through, so our listener sees whom it met
    NO_TRACE = "no trace"  # requests do not come through
    UNKNOWN = "unknown"  # it is drawn per connection, and the server does not say for which


@dataclass(frozen=True, slots=True)
class ServerToxic:
    """One toxic as the server's API takes it; a fault of several adds ``suffix`` to its name."""

    type: str
    stream: str
    """upstream or downstream."""
    toxicity: float = 1.0
    attributes: Mapping[str, int] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class OnServer:
    """A fault there: toxics on a proxy, or the proxy not enabled. ``cuts_open``: open connections are closed first."""

    toxics: tuple[ServerToxic, ...] = ()
    disables: bool = False
    cuts_open: bool = False

    @property
    def owns_proxy(self) -> bool:
        """Whether it needs a proxy of the run's own: somebody else's is never disabled."""
        return self.disables or self.cuts_open

    @property
    def hits(self) -> Hits:
        """What can be known of its hits."""
        if self.disables or any(map(_stops_requests, self.toxics)):
            return Hits.NO_TRACE
        return Hits.UNKNOWN if any(toxic.toxicity < 1 for toxic in self.toxics) else Hits.SEEN


def is_toxic(fault: Fault) -> bool:
    """Whether it is a toxic, wherever that acts."""
    return isinstance(fault, Toxic)


def on_server(fault: Fault) -> OnServer | None:
    """What it is on a server; None for a fault that no Toxiproxy has."""
    if isinstance(fault, Partition):
        return _partition(fault)
    if not isinstance(fault, Toxic):
        return None
    if isinstance(fault, ToxicDown):
        return OnServer(disables=True)
    name = fault.type.removeprefix("toxic.")
    return OnServer((ServerToxic(name, fault.direction.value, fault.toxicity, fault.attributes()),))


def _partition(fault: Partition) -> OnServer:
    lost_request = ServerToxic("timeout", "upstream", attributes={"timeout": 0}, suffix=".upstream")
    lost_response = ServerToxic("timeout", "downstream", attributes={"timeout": 0}, suffix=".downstream")
    match fault.mode:
        case "refuse":
            return OnServer(disables=True)
        case "reset":
            return OnServer((ServerToxic("reset_peer", "upstream", attributes={"timeout": 0}),), cuts_open=True)
        case "lost_request":
            return OnServer((lost_request,), cuts_open=True)
        case "lost_response":
            return OnServer((lost_response,), cuts_open=True)
        case "blackhole":
            return OnServer((lost_request, lost_response), cuts_open=True)


def _stops_requests(toxic: ServerToxic) -> bool:
    starved = toxic.type == "bandwidth" and toxic.attributes.get("rate") == 0
    return toxic.stream == "upstream" and (toxic.type in _SWALLOWS or starved)
