"""A fault in the words of a Toxiproxy server: which toxics it is there, and what can be told of its hits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal

from chaosproxy.faults.admission.partition import Partition

if TYPE_CHECKING:
    from chaosproxy.faults.base import Fault

Stream = Literal["upstream", "downstream"]

PREFIX = "toxic."
"""Faults that are toxics begin with it; what follows is Toxiproxy's name."""
DOWN = "toxic.down"
"""No toxic for Toxiproxy, but a proxy that is not enabled."""
_SWALLOWS = ("timeout", "reset_peer", "limit_data")
"""Upstream, these may keep a request from arriving."""


class Hits(Enum):
    """What a run can know about the hits of a fault on a server, which counts none."""

    SEEN = "seen"  # requests come through, so our listener sees whom it met
    NO_TRACE = "no trace"  # requests do not come through
    UNKNOWN = "unknown"  # it is drawn per connection, and the server does not say for which


@dataclass(frozen=True, slots=True)
class Toxic:
    """One toxic as the server's API takes it; a fault of several adds ``suffix`` to its name."""

    type: str
    stream: Stream
    toxicity: float = 1.0
    attributes: Mapping[str, int] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class OnServer:
    """A fault there: toxics on a proxy, or the proxy not enabled. ``cuts_open``: open connections are closed first."""

    toxics: tuple[Toxic, ...] = ()
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
    return fault.type.startswith(PREFIX)


def on_server(fault: Fault) -> OnServer | None:
    """What it is on a server; None for a fault that no Toxiproxy has."""
    if isinstance(fault, Partition):
        return _partition(fault)
    if not is_toxic(fault):
        return None
    if fault.type == DOWN:
        return OnServer(disables=True)
    return OnServer((_toxic(fault),))


def _toxic(fault: Fault) -> Toxic:
    return Toxic(fault.type.removeprefix(PREFIX), fault.direction.value, fault.toxicity, fault.attributes())


def _partition(fault: Partition) -> OnServer:
    lost_request = Toxic("timeout", "upstream", attributes={"timeout": 0}, suffix=".upstream")
    lost_response = Toxic("timeout", "downstream", attributes={"timeout": 0}, suffix=".downstream")
    match fault.mode:
        case "refuse":
            return OnServer(disables=True)
        case "reset":
            return OnServer((Toxic("reset_peer", "upstream", attributes={"timeout": 0}),), cuts_open=True)
        case "lost_request":
            return OnServer((lost_request,), cuts_open=True)
        case "lost_response":
            return OnServer((lost_response,), cuts_open=True)
        case "blackhole":
            return OnServer((lost_request, lost_response), cuts_open=True)


def _stops_requests(toxic: Toxic) -> bool:
    starved = toxic.type == "bandwidth" and toxic.attributes.get("rate") == 0
    return toxic.stream == "upstream" and (toxic.type in _SWALLOWS or starved)
