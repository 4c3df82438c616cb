"""One rule: a fault, for whom and how long. The same model in experiment files, on flags and on the control API."""

from __future__ import annotations

from collections.abc import Container
from fnmatch import fnmatchcase
from hashlib import sha256
from itertools import chain, count
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from chaosproxy.descriptions import Described
from chaosproxy.events import Exchange, header
from chaosproxy.faults import AnyFault
from chaosproxy.faults.base import Room
from chaosproxy.units import Duration, Flag, Share

PositiveInt = Annotated[int, Field(ge=1)]
API_KEY_FIELDS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
"""Where the providers' clients put their key."""
ID_LENGTH_MAX = 64
"""Characters of a rule's id."""


class Model(Described):
    """Frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Match(Model):
    """For which exchanges. Text fields are globs; ``first``, ``skip``, ``nth`` and ``each`` count what fits the rest.

    The counting fields depend on the order in which requests arrive, so a replay with concurrent clients may differ.
    """

    path: str | None = None
    """Of the request, without its query."""
    method: str | None = None
    """Such as POST."""
    model: str | None = None
    """The model that the request asks for."""
    dialect: str | None = None
    """Such as ``openai.chat``; ``raw`` is what no dialect claims."""
    stream: Flag | None = None
    """Whether a streamed answer is asked for."""
    header: dict[str, str] = Field(default_factory=dict)
    """Globs by name of a header field."""
    key_share: Share | None = None
    """Only this part of the callers, told apart by their API key: all requests of one caller are alike, in every run,
    and the callers of 10% are among those of 20%. Behind a gateway with one key of its own all callers are one."""
    key_header: Annotated[str, Field(min_length=1)] | None = None
    """The header field that tells callers apart for ``key_share``, such as ``x-user-id``; default: the API key."""
    first: PositiveInt | None = None
    """Only the first N."""
    skip: Annotated[int, Field(ge=0)] | None = None
    """Not the first N."""
    nth: PositiveInt | None = None
    """Only the Nth."""
    each: PositiveInt | None = None
    """Every Nth: the Nth, 2Nth, ..."""

    @property
    def reads_request(self) -> bool:
        """Whether it asks about the request, which is unknown when a connection is accepted."""
        return self != Match()

    @property
    def counts_exchanges(self) -> bool:
        """Whether it depends on how many exchanges fitted before."""
        return (self.first, self.skip, self.nth, self.each) != (None, None, None, None)

    def why_not(self, exchange: Exchange) -> str | None:
        """The first field that does not fit ("match.model: gpt-4 is not claude-*"), or None."""
        for name in ("path", "method", "model", "dialect"):
            pattern = getattr(self, name)
            if pattern is None:
                continue
            value = getattr(exchange, name)
            if value is None or not fnmatchcase(value, pattern):
                return f"match.{name}: {self._unknown(exchange) if value is None else value} is not {pattern}"
        if self.stream is not None and exchange.stream is None:
            return f"match.stream: {self._unknown(exchange)} is not {str(self.stream).lower()}"
        if self.stream is not None and exchange.stream is not self.stream:
            return f"match.stream: the request is {'' if exchange.stream else 'not '}streamed"
        for name, pattern in self.header.items():
            value = header(exchange.headers, name.lower())
            if value is None or not fnmatchcase(value, pattern):
                return f"match.header.{name}: {'absent' if value is None else 'the value'} is not {pattern}"
        return None if self.key_share is None else self._why_not_caller(exchange, self.key_share)

    def _why_not_caller(self, exchange: Exchange, share: float) -> str | None:
        names = API_KEY_FIELDS if self.key_header is None else (self.key_header.lower(),)
        key = next((value for name in names if (value := header(exchange.headers, name)) is not None), None)
        if key is None:
            return f"match.key_share: the request has no {' or '.join(names)}"
        digest = sha256(key.encode()).digest()
        return None if int.from_bytes(digest[:8]) < share * 2**64 else "match.key_share: another caller"

    @model_validator(mode="after")
    def _header_of_a_share(self) -> Self:
        if self.key_header is not None and self.key_share is None:
            raise ValueError("match.key_header says by what match.key_share tells callers apart, and there is none")
        return self

    @staticmethod
    def _unknown(exchange: Exchange) -> str:
        return "unknown" if exchange.body_read else "not applicable (the body exceeds the read limit)"

    def counts(self, ordinal: int) -> str | None:
        """Why the ``ordinal``-th (from 1) matching exchange is not meant, or None."""
        ordinal -= self.skip or 0
        if ordinal < 1:
            return f"match.skip: one of the first {self.skip}"
        if self.first is not None and ordinal > self.first:
            return f"match.first: number {ordinal}, only the first {self.first} are meant"
        if self.nth is not None and ordinal != self.nth:
            return f"match.nth: number {ordinal} is not {self.nth}"
        if self.each is not None and ordinal % self.each:
            return f"match.each: number {ordinal} is not a multiple of {self.each}"
        return None


_TOXICITY = "the toxicity of a toxic says what part of the connections it is for"
_ON_TCP = "toxic.*, partition, or conn.refuse, conn.reset, conn.close with stage=accept"


class Flap(Model):
    """Down for a while (the fault acts), up for a while (it does not), again and again; it starts down."""

    down: Annotated[Duration, Field(gt=0)]
    """How long the fault acts."""
    up: Annotated[Duration, Field(gt=0)]
    """How long it does not."""


def free_id(fault_type: str, taken: Container[str]) -> str:
    """An id for a rule that was given none: the fault's name, then name-2, name-3 and so on."""
    ids = chain([fault_type], (f"{fault_type}-{number}" for number in count(2)))
    return next(candidate for candidate in ids if candidate not in taken)


class Rule(Model):
    """A fault with everything that says when and for whom it acts, from the moment at which it is applied."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=ID_LENGTH_MAX)]
    """Unique over all owners of a proxy; part of every draw, so another id draws other dice."""
    listeners: tuple[str, ...] = Field(min_length=1)
    do: AnyFault
    match: Match = Match()
    share: Share = 1.0
    flap: Flap | None = None
    streams: Literal["new", "all"] = "new"
    max_hits: PositiveInt | None = None
    spare: Match | None = None
    """Exchanges that it never acts on: the control cohort."""
    lasts: Duration | None = None
    """Ends by itself after this long, renewed or not; None: with its lease."""

    @property
    def on_connections(self) -> bool:
        """Whether it acts on the bytes of whole connections, below HTTP."""
        return self.do.room is Room.TOXIC

    @property
    def reaches_open(self) -> bool:
        """Whether exchanges, or connections, that are open when it begins to act are meant, too."""
        return self.streams == "all" or self.on_connections or self.do.reaches_open

    @property
    def why_not_on_tcp(self) -> str | None:
        """Why it cannot act at a port whose traffic is not HTTP, or None."""
        if not self.on_connections and self.do.gate() is None and self.do.type != "partition":
            return f"{self.do.type} acts on HTTP requests; at a tcp:// upstream there are only bytes: {_ON_TCP}"
        if self._picks_requests:
            return f"match, share, max_hits are about HTTP requests, and a tcp:// upstream has none; {_TOXICITY}"
        return None

    @property
    def _picks_requests(self) -> bool:
        return self.match.reads_request or self.share < 1 or self.max_hits is not None

    @model_validator(mode="after")
    def _connections_know_no_request(self) -> Rule:
        on_connections = self.on_connections or self.do.gate() is not None
        if self.spare is not None and on_connections:
            words = "acts on connections, before any request is known: it cannot spare the control cohort"
            raise ValueError(f"{self.do.type} {words}")
        if not self._picks_requests:
            return self
        if self.on_connections:
            words = "acts on whole connections, below HTTP: match, share, max_hits cannot apply"
            raise ValueError(f"{self.do.type} {words}; {_TOXICITY}")
        if on_connections:
            raise ValueError(
                f"{self.do.type} acts on connections, before any request is known: match, share, max_hits cannot apply"
            )
        return self
