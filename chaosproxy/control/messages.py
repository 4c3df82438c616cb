"""What is said over the control API. Times are seconds in code and text with a unit (``5s``) in JSON.

The OpenAPI document is made of these models, so what they say of their fields is what a reader of it finds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from chaosproxy.descriptions import Described
from chaosproxy.plan.rule import ID_LENGTH_MAX, Rule
from chaosproxy.units import Duration

LEASE_S_MAX = 3600.0
"""The longest lease that can be asked for: after it a forgotten fault is over in any case."""
OWNER = "hand"
"""Who owns what somebody injects without saying who they are."""
SEED_MAX = 2**63 - 1
OWNER_CHARS_MAX = 200
"""Characters of an owner's name."""
WORDS_CHARS_MAX = 1000
"""Characters of what is said for people."""
RULES_MAX = 1000
"""As many rules one message may hold."""

Lease = Annotated[Duration, Field(gt=0, le=LEASE_S_MAX)]
Owner = Annotated[str, Field(min_length=1, max_length=OWNER_CHARS_MAX)]
FaultName = Annotated[str, Field(min_length=1, max_length=ID_LENGTH_MAX)]
Seed = Annotated[int, Field(ge=0, le=SEED_MAX)]


class Message(Described):
    """Frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, strict=False)


class Scope(Message):
    """What a run claims for itself as long as its lease is renewed: nobody else's faults may act there meanwhile."""

    listeners: Annotated[tuple[str, ...], Field(min_length=1, max_length=RULES_MAX)]
    """Names of listeners."""
    faults: Annotated[tuple[FaultName, ...], Field(max_length=RULES_MAX)] = ()
    """Ids of the faults that are to come; they must be free."""


class PlannedFault(Message):
    """A fault of a run's timeline."""

    model_config = ConfigDict(allow_inf_nan=False)

    id: FaultName
    """Its name."""
    type: Annotated[str, Field(max_length=ID_LENGTH_MAX)]
    """Such as ``stream.truncate``."""
    listeners: Annotated[tuple[str, ...], Field(max_length=RULES_MAX)]
    """Where it will act."""
    at_s: float
    """When it is to begin, in seconds after t = 0; an estimate when it waits for another fault."""
    lasts_s: Annotated[float, Field(ge=0)]
    """How long it is to act."""


class Programme(Message):
    """What a run is about, for those who watch the proxy; t = 0 is the end of its warm-up."""

    model_config = ConfigDict(allow_inf_nan=False)

    name: Annotated[str, Field(max_length=WORDS_CHARS_MAX)]
    """Of the experiment."""
    question: Annotated[str, Field(max_length=WORDS_CHARS_MAX)] = ""
    """What it asks."""
    seed: Seed
    """All its chance derives from it."""
    origin: float
    """When t = 0 is, on the proxy's clock."""
    warmup_s: Annotated[float, Field(ge=0)]
    """Load without measuring, before t = 0."""
    lasts_s: Annotated[float, Field(ge=0)]
    """From t = 0 to the end of the load."""
    faults: Annotated[tuple[PlannedFault, ...], Field(max_length=RULES_MAX)]
    """The timeline."""


class Apply(Message):
    """Make ``rules`` the whole set of an owner, all at once: what is missing ends, what is equal goes on."""

    rules: Annotated[tuple[Rule, ...], Field(max_length=RULES_MAX)]
    """The faults that shall be active."""
    lease: Lease
    """How long they live without a renewal."""
    seed: Seed
    """All their chance derives from it."""
    scope: Scope | None = None
    """What the owner claims for itself; it is refused when somebody else's claim or fault stands in the way."""


class Renew(Message):
    """Prolong leases, counted from now."""

    lease: Lease
    """How long the faults live without another renewal."""


class Inject(Message):
    """One more fault, with a lease of its own."""

    rule: Rule
    """The fault; its id must be free."""
    lease: Lease
    """How long it lives without a renewal."""
    owner: Owner = OWNER
    """Whose it is."""
    seed: Seed = 0
    """All its chance derives from it."""


class Lock(Message):
    """End all faults, and let nobody inject anything until the lock is taken away."""

    why: Annotated[str, Field(max_length=500)] = ""
    """What everybody is told who wants to inject something."""


class ActiveFault(Message):
    """A fault that is active now; its times are on the proxy's clock."""

    id: str
    """Its name."""
    owner: str
    """A run, ``start`` for what the proxy was started with, or a person."""
    type: str
    """Such as ``stream.truncate``."""
    listeners: tuple[str, ...]
    """Where it acts."""
    since: float
    """When it began."""
    lease_until: float | None
    """When its lease runs out; null: never."""
    ends_at: float | None = None
    """When it ends by itself, renewed or not; null: with its lease."""
    acting: bool
    """False in the up phase of a flap."""
    hits: int = 0
    """Requests (and connections without one) that it met."""
    rule: Rule
    """All of it: for whom it is, and what it does."""


class ListenerStatus(Message):
    """One listener as it is."""

    url: str
    """Where it listens."""
    upstream: str
    """What stands behind it."""
    dialect: str
    """What is spoken there, or ``auto``."""
    role: str | None = None
    """Its second name."""


class Status(Message):
    """What is going on. ``mono`` and ``wall`` are the proxy's two clocks at the same moment."""

    chaosproxy: str
    """The version."""
    instance: str
    """Another one after each start of the proxy."""
    mono: float
    """Seconds of the clock of all its records."""
    wall: float
    """Seconds since the epoch."""
    listeners: dict[str, ListenerStatus]
    """By name."""
    active: tuple[ActiveFault, ...]
    """Faults, in the order in which they were applied."""
    claims: dict[str, Scope] = Field(default_factory=dict)
    """What runs have claimed for themselves, by owner."""
    runs: dict[str, Programme] = Field(default_factory=dict)
    """What these runs say of themselves, by owner, as long as they hold a claim."""
    halted: str = ""
    """Why nothing may be injected; empty while it may."""
    open_exchanges: int
    """Requests under way."""
    events: str
    """The id of the newest event; pass it as ``after`` to see only what comes."""


class Count(Message):
    """How many faults of the owner are active now."""

    active: Annotated[int, Field(ge=0)]
    """Zero also when all have ended meanwhile."""


class Faults(Message):
    """All that is active."""

    faults: tuple[ActiveFault, ...]
    """In the order in which they were applied."""


class OpenExchange(Message):
    """A request under way; its time is on the proxy's clock."""

    id: str
    """As its record will have it."""
    listener: str
    """Where it came in."""
    ordinal: int
    """Of the listener's requests, from 1."""
    call: str | None
    """What joins it with others, if it says so."""
    method: str
    """Such as POST."""
    dialect: str
    """Such as ``openai.chat``; ``raw`` where that is not known."""
    model: str | None
    """What it asks for."""
    stream: bool | None
    """Whether it asks for a stream; null: its body was not read."""
    began_at: float
    """When it came in."""


class OpenExchanges(Message):
    """All that is under way, and has no record in the journal yet."""

    exchanges: tuple[OpenExchange, ...]
    """In the order of their coming."""
    mono: float
    """When that was, on the proxy's clock."""


class Halt(Message):
    """Whether faults may be injected."""

    halted: str
    """Why not; empty when they may."""


class Health(Message):
    """The proxy itself, and apart from it whether its upstreams can be reached."""

    status: Literal["ok", "starting", "degraded"]
    """``starting`` until all listeners are open; ``degraded``: they are, and an upstream cannot be reached."""
    ready: bool
    """Whether all listeners are open, whatever the upstreams do."""
    uptime_s: float
    """Since the control API is there."""
    upstreams: dict[str, Literal["up", "down"]]
    """By listener: whether a connection to its upstream is accepted."""


class Readiness(Message):
    """Whether clients can come; upstreams have no part in it."""

    status: Literal["ok", "starting"]
    """``starting`` until all listeners are open."""


class Failure(Message):
    """Why a request was refused."""

    error: str
    """In words, for people."""
