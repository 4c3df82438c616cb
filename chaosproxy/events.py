"""Timed events: the only thing that faults see and emit.

Every event carries ``at``, in seconds since its exchange began. The life of an exchange is

    Ask  Head  Frame*  (End | Abort)

``Ask`` is the request on its way to the upstream: the upstream is asked when Ask leaves the chain, so a fault that
swallows it has kept the upstream out. ``Tick`` and ``Heal`` travel to one stage only: the wake-up that it asked for,
and the end of its lease. ``Hit`` and ``Miss`` travel from a stage to the journal: what it did, or why it did nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, TypeVar, cast, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """A dataclass that nobody may change: the type checker sees to it, and a law over all faults.

    Freezing at run time would make each event three times as dear (0.5 us against 0.17 us).
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


class Kind:
    """What a frame is to its dialect; one frame may be several things (Anthropic's message_delta: finish and usage).

    Bits of an int, because testing one bit of an ``enum.Flag`` costs as much as reading the JSON.
    """

    OTHER: Final = 0
    RAW: Final = 1  # a piece of a body without frames, or the first half of a split one
    OPENING: Final = 2  # role chunk, message_start: begins the answer, carries no content
    CONTENT: Final = 4  # a text or reasoning delta
    TOOL: Final = 8  # a delta of tool-call arguments
    FINISH: Final = 16  # carries the finish or stop reason
    USAGE: Final = 32  # carries token counts
    TERMINAL: Final = 64  # the last event of the dialect: [DONE], message_stop
    ERROR: Final = 128  # an error after a 200
    KEEPALIVE: Final = 256  # comment or ping

    @classmethod
    def words(cls, kind: int) -> list[str]:
        """The names of its bits: "finish", "usage"."""
        return [name.lower() for name, bit in vars(cls).items() if name.isupper() and bit & kind] or ["other"]


AT_HEAL = float("inf")
"""The ``at`` of an event that waits for the end of its fault's lease: healing pulls it forward to that moment."""

TOKEN = Kind.CONTENT | Kind.TOOL


@value
class Meaning:
    """What a dialect reads in one frame: bits of Kind. ``text`` is the content delta, in characters.

    ``read_from`` is told of ordinary content events: a frame that still has these very bytes need not be read again.
    """

    kind: int
    text: str = ""
    finish: str | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    read_from: bytes | None = field(default=None, repr=False, compare=False)


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
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


@value
class Seen:
    """How far the answer had come when a fault was attached; all zero for a fault that is there from the start.

    ``open`` says that the exchange was under way already: its request has been sent, and Ask will not come any more.
    """

    events: int = 0
    tokens: int = 0
    bytes: int = 0
    head: Head | None = None
    open: bool = False


@value
class Exchange:
    """The facts of one request at one listener, known before anything is decided.

    ``call`` joins the exchanges of one call (None when nothing names it); ``dice_key`` is what chance may depend on.
    ``model`` and ``stream`` are None when the body was too large to read or is not of the dialect; ``body_read`` says
    which of the two it was. ``opens_connection``: it is the first on its connection. ``prompt_tokens`` is an estimate
    (a quarter of the characters), for token quotas. ``occurrence`` counts how often the same was asked there.
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
    occurrence: int = 1
    body_read: bool = True
    opens_connection: bool = True
    prompt_tokens: int | None = None
    seen: Seen = Seen()


@value
class Ask:
    """The request is ready to go to the upstream, without the header fields ``without`` (names in lower case)."""

    at: float
    without: tuple[str, ...] = ()


@value
class Head:
    """Status line and header fields of the response, hop-by-hop fields removed (``framing`` stands for them).

    With ``Framing.LENGTH`` the headers contain content-length. ``streamed`` says that the body is made of events of
    the exchange's dialect, one Frame each; else it is a sequence of RAW frames. ``packed_as`` is the content coding of
    a body that should have been unpacked and was not, with the reason if there is one.
    """

    at: float
    status: int
    reason: str = ""
    headers: Headers = ()
    framing: Framing = Framing.CHUNKED
    streamed: bool = False
    packed_as: str | None = None

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


@value
class Frame:
    """One event of a stream with all its bytes (blank line included), or a piece of a raw body."""

    at: float
    data: bytes = field(repr=False)
    meaning: Meaning = OTHER

    @property
    def kind(self) -> int:
        """Shorthand for ``meaning.kind``."""
        return self.meaning.kind

    @property
    def held_bytes(self) -> int:
        """About what it takes while it waits: its bytes, and the text that was read in them."""
        return len(self.data) + len(self.meaning.text)


@value
class Unframed:
    """Bytes for the connection as they are, outside of any HTTP framing; what comes after them goes on as usual."""

    at: float
    data: bytes = field(repr=False)


@value
class End:
    """The body is complete, as its framing defines it."""

    at: float


@value
class Abort:
    """The connection ends without completing the body (or before any answer)."""

    at: float
    how: Cut


@value
class Tick:
    """From a stage: wake me at ``at``. To a stage: it is ``at`` now."""

    at: float


@value
class Heal:
    """To a stage: your lease ended. Settle what you hold; you will not be asked again."""

    at: float


@value
class Hit:
    """From a stage: the fault took effect; ``detail`` completes the sentence "#3 ...: ___"."""

    at: float
    detail: str


@value
class Miss:
    """From a stage: the fault can not take effect on this exchange; ``reason`` completes "not hit: ___"."""

    at: float
    reason: str


Travelling = Ask | Head | Frame | Unframed | End | Abort
"""Events that pass along the whole chain."""

Incoming = Ask | Head | Frame | Unframed | End | Abort | Tick | Heal
"""What a stage is fed."""

Outgoing = Ask | Head | Frame | Unframed | End | Abort | Tick | Hit | Miss
"""What a stage emits."""

Terminal = End | Abort

Moved = TypeVar("Moved", bound=Travelling)


def moved(event: Moved, at: float) -> Moved:
    """The same event at another time."""
    if event.at == at:
        return event
    if isinstance(event, Frame):  # ``replace`` is slow, and frames are many
        return cast(Moved, Frame(at, event.data, event.meaning))
    return replace(event, at=at)
