"""Timed events: the only thing that faults see and emit.

Every event carries ``at``, in seconds since its exchange began. The life of an exchange is

    Ask  Head  Frame*  (End | Abort)

``Ask`` is the request on its way to the upstream: the upstream is asked when Ask leaves the chain, so a fault that
swallows it has kept the upstream out. ``Tick`` and ``Heal`` travel to one stage only: the wake-up that it asked for,
and the end of its lease. ``Hit`` and ``Miss`` travel from a stage to the journal: what it did, or why it did nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, Flag, auto


class Kind(Flag):
    """What a frame is to its dialect; one frame may be several things (Anthropic's message_delta: finish and usage)."""

    OTHER = 0
    RAW = auto()  # a piece of a body that is not made of frames
    OPENING = auto()  # role chunk, message_start: begins the answer, carries no content
    CONTENT = auto()  # a text or reasoning delta
    TOOL = auto()  # a delta of tool-call arguments
    FINISH = auto()  # carries the finish or stop reason
    USAGE = auto()  # carries token counts
    TERMINAL = auto()  # the last event of the dialect: [DONE], message_stop
    ERROR = auto()  # an error after a 200
    KEEPALIVE = auto()  # comment or ping


AT_HEAL = float("inf")
"""The ``at`` of an event that waits for the end of its fault's lease: healing pulls it forward to that moment."""

TOKEN = Kind.CONTENT | Kind.TOOL


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a dialect reads in one frame. ``text`` is the content delta, in characters."""

    kind: Kind
    text: str = ""
    finish: str | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None


RAW = Meaning(Kind.RAW)
OTHER = Meaning(Kind.OTHER)


class Framing(Enum):
    """How the client learns where the body ends (RFC 9112, 6.3)."""

    CHUNKED = "chunked"
    LENGTH = "length"
    CLOSE = "close"
    EMPTY = "empty"


class Cut(Enum):
    """The unclean ends of a connection: a FIN before the body is complete, or an RST."""

    FIN = "fin"
    RESET = "reset"


Headers = tuple[tuple[str, str], ...]


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header, or None; ``name`` in lower case."""
    return next((value for key, value in headers if key.lower() == name), None)


@dataclass(frozen=True, slots=True)
class Seen:
    """How far the answer had come when a fault was attached; all zero for a fault that is there from the start.

    ``open`` says that the exchange was under way already: its request has been sent, and Ask will not come any more.
    """

    events: int = 0
    tokens: int = 0
    bytes: int = 0
    head: Head | None = None
    open: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """The facts of one request at one listener, known before anything is decided.

    ``call`` joins the exchanges of one call (None when nothing names it); ``dice_key`` is what chance may depend on.
    ``model`` and ``stream`` are None when the body was too large to read or is not of the dialect; ``body_read`` says
    which of the two it was. ``prompt_tokens`` is an estimate (a quarter of the characters), for token quotas.
    """

    id: str
    listener: str
    ordinal: int
    method: str
    path: str
    dialect: str = "raw"
    model: str | None = None
    stream: bool | None = None
    headers: Headers = field(default=(), repr=False)
    call: str | None = None
    attempt: int = 1
    dice_key: str = ""
    body_read: bool = True
    prompt_tokens: int | None = None
    seen: Seen = Seen()


@dataclass(frozen=True, slots=True)
class Ask:
    """The request is ready to go to the upstream."""

    at: float


@dataclass(frozen=True, slots=True)
class Head:
    """Status line and header fields of the response, hop-by-hop fields removed (``framing`` stands for them).

    With ``Framing.LENGTH`` the headers contain content-length. ``streamed`` says that the body is made of events of
    the exchange's dialect, one Frame each; else it is a sequence of RAW frames.
    """

    at: float
    status: int
    reason: str = ""
    headers: Headers = ()
    framing: Framing = Framing.CHUNKED
    streamed: bool = False

    @property
    def length(self) -> int | None:
        """Content-Length, when the body is framed by it."""
        value = header(self.headers, "content-length") if self.framing is Framing.LENGTH else None
        return int(value) if value is not None else None

    def framed(self, framing: Framing, length: int | None = None) -> Head:
        """The same head with another framing; ``length`` belongs to Framing.LENGTH and to nothing else."""
        headers = tuple(pair for pair in self.headers if pair[0].lower() != "content-length")
        if length is not None:
            headers += (("content-length", str(length)),)
        return replace(self, framing=framing, headers=headers)


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a stream with all its bytes (blank line included), or a piece of a raw body."""

    at: float
    data: bytes = field(repr=False)
    meaning: Meaning = OTHER

    @property
    def kind(self) -> Kind:
        """Shorthand for ``meaning.kind``."""
        return self.meaning.kind


@dataclass(frozen=True, slots=True)
class End:
    """The body is complete, as its framing defines it."""

    at: float


@dataclass(frozen=True, slots=True)
class Abort:
    """The connection ends without completing the body (or before any answer)."""

    at: float
    how: Cut


@dataclass(frozen=True, slots=True)
class Tick:
    """From a stage: wake me at ``at``. To a stage: it is ``at`` now."""

    at: float


@dataclass(frozen=True, slots=True)
class Heal:
    """To a stage: your lease ended. Settle what you hold; you will not be asked again."""

    at: float


@dataclass(frozen=True, slots=True)
class Hit:
    """From a stage: the fault took effect; ``detail`` completes the sentence "#3 ...: ___"."""

    at: float
    detail: str


@dataclass(frozen=True, slots=True)
class Miss:
    """From a stage: the fault can not take effect on this exchange; ``reason`` completes "not hit: ___"."""

    at: float
    reason: str


Travelling = Ask | Head | Frame | End | Abort
"""Events that pass along the whole chain."""

Incoming = Ask | Head | Frame | End | Abort | Tick | Heal
"""What a stage is fed."""

Outgoing = Ask | Head | Frame | End | Abort | Tick | Hit | Miss
"""What a stage emits."""

Terminal = End | Abort
