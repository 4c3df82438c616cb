"""The records of a journal. Times are seconds of the writing host's monotonic clock unless a name says otherwise.

``Opened`` opens each file and gives that clock's wall time. The run's t = 0 (end of the warm-up) is the mark
``origin``. Content is kept as fingerprints; header values, bodies and prompts never enter a journal.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from msgspec.json import encode
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from chaosproxy.journal.fingerprint import Fingerprint

VERSION = 3
READABLE = (1, 2, 3)
"""Version 2 adds the record ``probe``; version 3 ``attached``, ``underway``, ``hook``, ``notify``, an exchange's
``asked_tokens``, an edge's ``malformed`` and a run's ``settings``."""
ON_THE_WAY = "on the way to our listener"
"""The detail of a hit between client and listener: neither edge of the exchange shows what it did."""


class Record(BaseModel):
    """One line."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Opened(Record):
    """First line of each process's file."""

    type: Literal["opened"] = "opened"
    version: int = 1
    """Of the format: VERSION for writers. A line without it is of version 1, because defaults are left out."""
    process: str
    """proxy, load, runner."""
    host: str
    pid: int
    mono: float
    wall: float
    """Seconds since the epoch at ``mono``."""
    chaosproxy: str


class Watched(Record):
    """What a run without a load of its own looks at: calls are the requests at ``entry`` (None: nobody sees any).

    ``backends`` are all its HTTP listeners, ``client_timeout_s`` is when clients give up, if somebody has said that.
    """

    entry: str | None = None
    backends: list[str] = Field(default_factory=list)
    oracle: Literal["upstream", "none"] = "upstream"
    client_timeout_s: float | None = None


class Run(Record):
    """What was run; written by the runner. ``vars`` are the overrides of -D, those that are secret as ``...``;
    ``settings`` those of --sweep.
    """

    type: Literal["run"] = "run"
    id: str
    name: str
    seed: int
    nonce: str
    """Enters every call tag, so that a cache never answers one run from another."""
    vars: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, str] = Field(default_factory=dict)
    file: str
    file_sha256: str
    load: Literal["own", "external", "none"] = "own"
    watched: Watched | None = None
    """Of an external load."""
    attach: str = ""
    """The control API of the proxy that was driven, if the run did not start its own."""


class Mark(Record):
    """A moment of the run: warmup, origin, over (end of the timeline), drained."""

    type: Literal["mark"] = "mark"
    name: str
    at: float


class GateJudged(Record):
    """The gate was judged. ``reasons`` has one sentence per expectation that did not hold."""

    type: Literal["gate"] = "gate"
    at: float
    held: bool
    reasons: list[str] = Field(default_factory=list)


class Attached(Record):
    """A run drives a proxy that it did not start, at its begin and again at its end.

    The proxy's clock was ``offset_s`` ahead of the runner's, give or take ``error_s``; its records are in the journal
    with the times of the runner's clock. ``upstreams``: what stands behind its listeners.
    """

    type: Literal["attached"] = "attached"
    at: float
    control: str
    upstreams: dict[str, str] = Field(default_factory=dict)
    offset_s: float
    error_s: float


class FaultEdge(Record):
    """A fault began or ceased to act at one proxy. ``edge``: applied, flap_up, flap_down, healed."""

    type: Literal["fault"] = "fault"
    fault: str
    edge: Literal["applied", "flap_up", "flap_down", "healed"]
    at: float
    listeners: list[str]
    why: str = ""
    fault_type: str = ""


class FaultHit(Record):
    """A fault took effect on one exchange (``exchange`` is None for a connection that carried no request).

    ``connection`` is where, for faults that act on connections below HTTP.
    """

    type: Literal["hit"] = "hit"
    fault: str
    at: float
    listener: str
    exchange: str | None = None
    call: str | None = None
    connection: str | None = None
    detail: str = ""


class FaultMiss(Record):
    """A fault did not act on an exchange, and why; for every active fault that made no hit."""

    fault: str
    reason: str


class Edge(Record):
    """What passed on one side of the proxy. ``ended`` gone: the client left; unfinished: we stopped; none: nothing."""

    status: int | None = None
    head_at: float | None = None
    first_content_at: float | None = None
    end_at: float | None = None
    ended: Literal["end", "fin", "reset", "gone", "timeout", "refused", "unfinished", "none"] = "none"
    events: int = 0
    tokens: int = 0
    bytes: int = 0
    terminal: bool = False
    """The dialect's terminal event passed."""
    finish: str | None = None
    error_event: bool = False
    malformed: bool = False
    """An event passed that no client can read."""
    text: Fingerprint = Fingerprint()
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    retry_after_s: float | None = None


class ExchangeRecord(Record):
    """One request and its response at one listener, written when both edges ended.

    ``sent`` is what the client got (after our faults), ``received`` what the upstream sent; ``asked_at`` is None when
    the upstream was never asked. ``attached`` names the faults that were at work, ``misses`` says why others were not.
    """

    type: Literal["exchange"] = "exchange"
    id: str
    listener: str
    ordinal: int
    call: str | None
    attempt: int
    occurrence: int = 1
    """How often this listener has had this very request so far: the same tagged call, else the same body."""
    method: str
    path: str
    dialect: str
    model: str | None
    stream: bool | None
    began_at: float
    asked_at: float | None = None
    asked_tokens: int | None = None
    """Of the prompt, estimated: a quarter of its characters; None when it was not read."""
    received: Edge = Edge()
    sent: Edge = Edge()
    attached: list[str] = Field(default_factory=list)
    misses: list[FaultMiss] = Field(default_factory=list)
    error: str | None = None
    """What the upstream itself did wrong (not injected): "connect: connection refused", or, after its head, "event: the
    upstream sent an error event"."""


class Underway(Record):
    """An exchange that had begun and not ended when the runner looked (``at``). Its record follows if it does end."""

    type: Literal["underway"] = "underway"
    at: float
    id: str
    listener: str
    ordinal: int
    call: str | None
    method: str
    dialect: str
    model: str | None
    stream: bool | None
    began_at: float


class ConnectionRecord(Record):
    """One connection at a listener whose traffic is not HTTP, written when it has ended.

    Bytes are those that were passed on: ``upstream_bytes`` of the client's, ``downstream_bytes`` of the upstream's.
    ``ended`` says who: client or upstream with a FIN, client_reset or upstream_reset with an RST, fin or reset by a
    fault, refused: the upstream could not be reached (``error`` says why), unfinished: we stopped.
    """

    type: Literal["connection"] = "connection"
    id: str
    listener: str
    number: int
    """Of the listener's connections, from 1."""
    began_at: float
    end_at: float
    upstream_bytes: int = 0
    downstream_bytes: int = 0
    ended: Literal["client", "upstream", "client_reset", "upstream_reset", "fin", "reset", "refused", "unfinished"]
    error: str | None = None


class CallError(Record):
    """How a call said that it failed.

    ``kind``: http, event, connect, reset, incomplete, protocol, timeout, hung, usage.
    """

    kind: str
    message: str = ""


class Sent(Record):
    """A call that is about to be sent. Its Call follows when it has ended, so that one without it never did."""

    type: Literal["sent"] = "sent"
    id: str
    load: str
    number: int
    tagged: bool = True
    api: str
    stream: bool
    model: str
    intended_at: float
    sent_at: float

    def unended(self) -> Call:
        """All that is known of the call before its end."""
        return Call(**self.model_dump(exclude={"type"}))


class Call(Record):
    """One call as its client saw it; times on the load's clock, latencies count from ``intended_at``.

    ``expected`` is the lab oracle's text for the same prompt (None when the oracle is another). ``restarted_at`` is the
    character at which the text began anew; ``foreign`` another call's tag found in the text.
    """

    type: Literal["call"] = "call"
    id: str
    load: str
    number: int
    tagged: bool = True
    """Whether ``id`` was in the prompt, so that exchanges can be joined."""
    api: str
    stream: bool
    model: str
    intended_at: float
    sent_at: float | None = None
    head_at: float | None = None
    first_content_at: float | None = None
    last_content_at: float | None = None
    end_at: float | None = None
    status: int | None = None
    error: CallError | None = None
    finish: str | None = None
    terminal: bool = False
    chunks: int = 0
    gaps_ms: list[int] = Field(default_factory=list)
    """Time between consecutive content events."""
    text: Fingerprint = Fingerprint()
    expected: Fingerprint | None = None
    kept_chars: int | None = None
    """How many characters of ``text`` are those that ``expected`` begins with (None without it): exact, where the
    fingerprints know whole blocks only."""
    restarted_at: int | None = None
    foreign: str | None = None
    output_tokens: int | None = None
    expected_tokens: int | None = None
    dropped: bool = False
    """Never sent: ``max_in_flight`` was reached."""


class Lag(Record):
    """How late a process's loop or sender was over the last second, in seconds; ``what``: loop, send."""

    type: Literal["lag"] = "lag"
    process: str
    what: Literal["loop", "send"]
    at: float
    samples: int
    p99_s: float
    max_s: float


class Probed(Record):
    """One run of a probe, from ``at``. ``value`` is a number of the probe's own unit; ``detail`` has no secrets.

    ``unknown``: it could not look, which says nothing about the system.
    """

    type: Literal["probe"] = "probe"
    probe: str
    at: float
    took_s: float = 0.0
    outcome: Literal["ok", "failed", "unknown"] = "ok"
    value: float | None = None
    detail: str = ""


class Hooked(Record):
    """A hook's outside action was done or undone, from ``at``; ``detail`` says why it failed, without secrets."""

    type: Literal["hook"] = "hook"
    hook: str
    what: Literal["do", "undo"]
    at: float
    took_s: float = 0.0
    ok: bool = True
    detail: str = ""


class Notified(Record):
    """A webhook was told of something, or not. ``webhook`` is its host: the rest of the URL may be a secret."""

    type: Literal["notify"] = "notify"
    webhook: str
    event: str
    at: float
    took_s: float = 0.0
    ok: bool = True
    detail: str = ""


class Healed(Record):
    """The heal was verified, or not: the proxies confirmed it, and nothing speaks against it.

    ``seen``: whether the load shows how the gate stood after the last fault (None: nobody had to look); ``detail`` says
    what was missing.
    """

    type: Literal["healed"] = "healed"
    at: float
    verified: bool
    seen: bool | None = None
    detail: str = ""


class Trouble(Record):
    """Something of ours went wrong: a part died, a lease could not be renewed.

    ``part`` journal or events: records were lost; limits: the proxy itself refused requests. These make a run
    inconclusive; any other part makes it an error.
    """

    type: Literal["trouble"] = "trouble"
    at: float
    part: str
    detail: str


class Swept(Record):
    """A run that is over had left something on a Toxiproxy server, and this one removed it; ``why``: how it knew."""

    type: Literal["swept"] = "swept"
    at: float
    server: str
    name: str
    why: str


class Ended(Record):
    """How the run itself ended; the last line of a whole journal."""

    type: Literal["ended"] = "ended"
    at: float
    how: Literal["completed", "gate", "aborted", "interrupted", "terminated", "error"]
    why: str = ""


AnyRecord = Annotated[
    Opened
    | Run
    | Mark
    | GateJudged
    | Attached
    | FaultEdge
    | FaultHit
    | ExchangeRecord
    | Underway
    | ConnectionRecord
    | Sent
    | Call
    | Lag
    | Probed
    | Hooked
    | Notified
    | Healed
    | Trouble
    | Swept
    | Ended,
    Field(discriminator="type"),
]

_ADAPTER: TypeAdapter[Any] = TypeAdapter(AnyRecord)


def to_values(record: AnyRecord) -> dict[str, Any]:
    """The fields by name, the type first; those with their default value are left out."""
    return {"type": record.type, **record.model_dump(mode="json", exclude_defaults=True)}


def from_values(values: dict[str, Any]) -> AnyRecord:
    """The record of such values. Raises pydantic.ValidationError."""
    record: AnyRecord = _ADAPTER.validate_python(values)
    return record


def to_line(record: AnyRecord) -> bytes:
    """One NDJSON line, newline included; fields with their default value are left out."""
    return values_line(to_values(record))


def values_line(values: dict[str, Any]) -> bytes:
    """Values as one line of ASCII: no reader finds a line end inside a record, and no torn line ends in a character."""
    try:
        line = encode(values)
    except ValueError:  # a lone surrogate, which other people's JSON may hold
        return _escaped(values)
    return line + b"\n" if line.isascii() else _escaped(values)


def _escaped(values: dict[str, Any]) -> bytes:
    """The same with escapes; a lone surrogate, which no reader takes even as an escape, becomes a question mark."""
    text = json.dumps(values, ensure_ascii=False).encode("utf-8", "replace")
    return json.dumps(json.loads(text), separators=(",", ":")).encode() + b"\n"


def from_line(line: str | bytes) -> AnyRecord:
    """The record of a line. Raises pydantic.ValidationError."""
    record: AnyRecord = _ADAPTER.validate_json(line)
    return record
