"""The records of a journal. Times are seconds of the writing host's monotonic clock unless a name says otherwise.

``Opened`` opens each file and gives that clock's wall time. The run's t = 0 (end of the warm-up) is the mark
``origin``. Content is kept as fingerprints; header values, bodies and prompts never enter a journal.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from msgspec.json import encode
from pydantic import Field, TypeAdapter

from chaosproxy.journal.record import Record
from chaosproxy.journal.traffic import (
    Call,
    ConnectionRecord,
    ExchangeRecord,
    FaultHit,
    Lag,
    Sent,
    Underway,
)

VERSION = 3
READABLE = (1, 2, 3)
"""Version 2 adds the record ``probe``; version 3 ``attached``, ``underway``, ``hook``, ``notify``, an exchange's
``asked_tokens``, an edge's ``malformed`` and a run's ``settings``."""


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
    entry: str | None = None
    """The listener that a load of its own calls itself, if it calls one."""
    attach: str = ""
    """The control API of the proxy that was driven, if the run did not start its own."""


class Mark(Record):
    """A moment of the run: warmup, origin, over (end of the timeline), drained."""

    type: Literal["mark"] = "mark"
    name: str
    at: float


class GateJudged(Record):
    """The gate was judged. ``reasons`` has one sentence per expectation that was not seen to hold.

    ``unknown``: none of them failed for certain.
    """

    type: Literal["gate"] = "gate"
    at: float
    held: bool
    reasons: list[str] = Field(default_factory=list)
    unknown: bool = False


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
