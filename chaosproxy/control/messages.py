"""What is said over the control API. Times are seconds in code and text with a unit (``5s``) in JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from chaosproxy.plan.rule import Rule
from chaosproxy.units import Duration

LEASE_S_MAX = 3600.0
"""The longest lease that can be asked for: after it a forgotten fault is over in any case."""

Lease = Annotated[Duration, Field(gt=0, le=LEASE_S_MAX)]


class Message(BaseModel):
    """Frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Apply(Message):
    """PUT /v1/owners/OWNER: make ``rules`` the whole set of the owner."""

    rules: tuple[Rule, ...]
    lease: Lease
    seed: int


class Renew(Message):
    """POST /v1/owners/OWNER/renew: prolong the owner's leases, counted from now."""

    lease: Lease


class ActiveFault(Message):
    """A fault that is active now. ``since`` and ``lease_until`` are on the proxy's clock; the lease may be endless."""

    id: str
    owner: str
    type: str
    listeners: tuple[str, ...]
    since: float
    lease_until: float | None
    acting: bool
    """False in the up phase of a flap."""


class ListenerStatus(Message):
    """One listener as it is."""

    url: str
    upstream: str
    dialect: str
    role: str | None = None


class Status(Message):
    """GET /v1/status. ``mono`` and ``wall`` are the proxy's two clocks at the same moment."""

    chaosproxy: str
    mono: float
    wall: float
    listeners: dict[str, ListenerStatus]
    active: tuple[ActiveFault, ...]
    open_exchanges: int
    events: int
    """The number of the newest event; pass it as ``after`` to see only what comes."""
