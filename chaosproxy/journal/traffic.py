"""Records of what went through: exchanges and connections at listeners, the faults that met them, calls of a load.

Times are seconds of the writing host's monotonic clock unless a name says otherwise.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosproxy.journal.fingerprint import Fingerprint
from chaosproxy.journal.record import Record

ON_THE_WAY = "on the way to our listener"
"""The detail of a hit between client and listener: neither edge of the exchange shows what it did."""


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
    workflow: str | None = None
    step: str | None = None
    steps: int = 0

    def unended(self) -> Call:
        """All that is known of the call before its end."""
        return Call(**{name: getattr(self, name) for name in Sent.model_fields if name != "type"})


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
    workflow: str | None = None
    """The journey that it is a step of: ``step`` is its name there, ``steps`` how many there are in all."""
    step: str | None = None
    steps: int = 0
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
