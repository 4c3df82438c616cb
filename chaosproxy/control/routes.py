"""Every request that the control API knows, in one table: its handlers and its OpenAPI document are made of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from chaosproxy.control.messages import (
    ActiveFault,
    Apply,
    Count,
    Faults,
    Halt,
    Health,
    Inject,
    Lock,
    Message,
    OpenExchanges,
    Programme,
    Readiness,
    Renew,
    Status,
)


@dataclass(frozen=True, slots=True)
class Route:
    """One request. ``says`` is what its body holds, ``hears`` the answer: a message, or a media type.

    ``refusals`` are the statuses that it may end with beside those of every request (400, 401, 403, 429).
    """

    method: str
    path: str
    name: str
    summary: str
    hears: type[Message] | str
    says: type[Message] | None = None
    status: int = 200
    refusals: tuple[int, ...] = ()
    query: dict[str, str] = field(default_factory=dict)
    open: bool = False
    """Whether it is answered without a token."""


EVENT_STREAM = "text/event-stream"
NDJSON = "application/x-ndjson"
JSON = "application/json"
HEALTH_PATHS = frozenset({"/-/health", "/-/ready"})

ROUTES: tuple[Route, ...] = (
    Route("GET", "/-/health", "health", "Our own health, and whether upstreams can be reached.", Health, open=True),
    Route("GET", "/-/ready", "ready", "Whether all listeners are open.", Readiness, refusals=(503,), open=True),
    Route("GET", "/v1/openapi.json", "openapi", "This document.", JSON),
    Route("GET", "/v1/status", "status", "Listeners, clocks, faults and claims.", Status),
    Route("GET", "/v1/faults", "list_faults", "All faults that are active.", Faults),
    Route("POST", "/v1/faults", "inject", "One more fault.", ActiveFault, Inject, 201, (409, 423)),
    Route("GET", "/v1/faults/{id}", "get_fault", "One fault.", ActiveFault, refusals=(404,)),
    Route("DELETE", "/v1/faults/{id}", "heal", "End one fault, whoever owns it.", Count, refusals=(404,)),
    Route("POST", "/v1/faults/{id}/renew", "prolong", "Renew one lease.", ActiveFault, Renew, refusals=(404,)),
    Route("PUT", "/v1/owners/{owner}", "apply", "Swap the whole plan of an owner.", Count, Apply, refusals=(409, 423)),
    Route("POST", "/v1/owners/{owner}/renew", "renew", "Renew all leases of an owner.", Count, Renew),
    Route(
        "PUT",
        "/v1/owners/{owner}/programme",
        "announce",
        "Say what the run is about that holds a claim.",
        Programme,
        Programme,
        refusals=(404,),
    ),
    Route("DELETE", "/v1/owners/{owner}", "clear", "End all faults of an owner.", Count),
    Route("DELETE", "/v1/owners", "clear_all", "End all faults of everybody.", Count),
    Route("GET", "/v1/exchanges", "exchanges", "Requests that are under way.", OpenExchanges),
    Route("GET", "/v1/lock", "get_lock", "Whether faults may be injected.", Halt),
    Route("PUT", "/v1/lock", "lock", "End all faults and refuse new ones.", Halt, Lock),
    Route("DELETE", "/v1/lock", "unlock", "Let faults in again.", Halt),
    Route(
        "GET",
        "/v1/events",
        "follow",
        "The journal as it is written, as server-sent events.",
        EVENT_STREAM,
        query={"after": "The id of an event: only what is newer comes. The header Last-Event-ID says the same."},
    ),
    Route("GET", "/v1/journal", "journal", "The newest records, as a journal.", NDJSON),
)
