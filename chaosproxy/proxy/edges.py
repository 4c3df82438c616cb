"""The two edges of an exchange, as the pump sees them: callbacks only, so that either side can be replaced.

    client  <-  ClientWire  <-  Pump  <-  Upstream  <-  provider

No method of an edge calls back before it returned, with two exceptions: ``wire_filled`` from inside a write, and a
BodySource, which pushes what it has at hand when it is started.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Protocol

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Cut, Framing, Head, Headers, value


class Pipe(Protocol):
    """One end of a connection that became a raw tunnel."""

    def start(
        self, on_data: Callable[[bytes], None], on_drained: Callable[[], None], on_lost: Callable[[], None]
    ) -> None:
        """Deliver what comes in from now on; tell when the peer keeps up again, and once when it is gone."""

    def write(self, data: bytes) -> bool:
        """Send; whether the peer keeps up (False: pause the other side until ``on_drained``)."""

    def pause(self) -> None:
        """Read no more for now."""

    def resume(self) -> None:
        """Read again."""

    def close(self) -> None:
        """End the connection after what was written."""


class BodySink(Protocol):
    """Who takes the rest of a request body. After ``body_end`` or ``body_lost`` nothing more comes."""

    def body_data(self, data: bytes) -> None:
        """A piece of it."""

    def body_end(self) -> None:
        """It is complete."""

    def body_lost(self) -> None:
        """The client left before its end."""


class BodySource(Protocol):
    """The rest of a request body that was too large to keep; the client waits until it is started."""

    def start(self, sink: BodySink) -> None:
        """Push it, as it comes, to ``sink``."""

    def pause(self) -> None:
        """Push no more for now."""

    def resume(self) -> None:
        """Go on."""


@value
class Question:
    """A request as the upstream gets it: what was kept of its body, and the rest of one that was too large for that."""

    method: str
    target: str
    headers: Headers = field(repr=False)
    body: bytes | None = field(repr=False)
    chunked: bool = False
    rest: BodySource | None = None


@value
class AnswerHead:
    """Status line and end-to-end header fields of an answer, and how its body is framed."""

    status: int
    reason: str
    headers: Headers
    framing: Framing


class ChunkTaker(Protocol):
    """Takes HTTP chunks in the very bytes in which they came."""

    def chunk(self, chunk: bytes, data: bytes) -> None:
        """A whole chunk, and what is in it."""


AskUpstream = Callable[["Receiver", tuple[str, ...]], "Asking"]
"""Sends a request to the upstream, without the header fields that are named (in lower case)."""


class Receiver(Protocol):
    """Who asked an upstream. After ``upstream_end``, ``upstream_failed`` or ``upgraded`` nothing more comes."""

    chunks: ChunkTaker | None
    """Who gets whole HTTP chunks in place of ``upstream_data``, if anybody; it changes during an answer."""

    def upstream_head(self, head: AnswerHead) -> None:
        """The answer begins."""

    def upstream_data(self, data: bytes) -> None:
        """A piece of the body, one HTTP chunk where the upstream uses them and it came in one piece."""

    def upstream_end(self) -> None:
        """The body is complete."""

    def upstream_failed(self, error: UpstreamFailed) -> None:
        """No answer, or only a part of it."""

    def upstream_upgraded(self, head: AnswerHead, pipe: Pipe) -> None:
        """A 101: from here on the connection carries bytes."""


class Asking(Protocol):
    """A question that was asked."""

    def pause(self) -> None:
        """Read no more of the upstream for now; what has been read already still comes."""

    def resume(self) -> None:
        """Go on."""

    def cancel(self) -> None:
        """Hang up; no callback comes any more."""

    def hand_to(self, receiver: Receiver) -> None:
        """Tell somebody else from now on, as may be said while a head is told."""


class Upstream(Protocol):
    """Where a listener sends its requests."""

    def ask(self, question: Question, receiver: Receiver) -> Asking:
        """Begin to ask."""


class WireOwner(Protocol):
    """Who writes to a client."""

    def wire_filled(self) -> None:
        """The client does not keep up."""

    def wire_drained(self) -> None:
        """It does again."""

    def wire_rerouted(self) -> None:
        """A writer of whole chunks that was given away must not be used any more."""

    def client_gone(self) -> None:
        """The client left before its answer ended."""


class ClientWire(Protocol):
    """The way back to the client for one exchange, down to the transport."""

    @property
    def full(self) -> bool:
        """Whether more waits for the client than Limits.unsent_bytes."""

    @property
    def fin_is_an_end(self) -> bool:
        """Whether this client takes a FIN for the regular end of the answer: nothing else tells it where that is."""

    def own(self, owner: WireOwner) -> None:
        """Whom to call back."""

    def head(self, head: Head) -> None:
        """Send status line and header fields."""

    def data(self, data: bytes) -> None:
        """Send a piece of the body: one HTTP chunk where the framing is chunked."""

    def unframed(self, data: bytes) -> None:
        """Send bytes that are part of no body; the connection is closed after the answer."""

    def chunk_writer(self) -> Callable[[bytes], None] | None:
        """Sends whole HTTP chunks, as long as this answer lasts; None where its body is framed in another way."""

    def end(self) -> None:
        """Complete the body as its framing defines it."""

    def abort(self, how: Cut) -> None:
        """End the connection without completing the body."""

    def upgrade(self, head: AnswerHead) -> Pipe:
        """Send a 101 and hand over the connection."""
