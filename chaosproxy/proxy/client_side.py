"""The client's side of an exchange: what is sent, and the account of it.

As long as no fault is at work, what is sent is what was received, and both sides share one tally.
"""

from __future__ import annotations

from chaosproxy.events import Cut, Frame, Head, Seen
from chaosproxy.proxy.account import Account, Ended
from chaosproxy.proxy.edges import ClientWire
from chaosproxy.proxy.tally import Tally


class ClientSide:
    """Sends to one client. Times are seconds since the exchange began."""

    __slots__ = ("_received", "_sent", "wire")

    def __init__(self, wire: ClientWire, account: Account) -> None:
        self.wire = wire
        self._received = account.received
        self._sent = account.sent

    @property
    def over(self) -> bool:
        """Whether the client's answer has ended, or the client."""
        return self._sent.over

    @property
    def silent(self) -> bool:
        """Whether nothing was sent and something still can be."""
        return self._sent.head_at is None and not self.over

    @property
    def seen(self) -> Seen:
        """How far the answer has come at the client."""
        return self._sent.tally.seen

    def head(self, head: Head, at: float, retry_after_s: float | None, tally: Tally) -> None:
        """Send status line and header fields; ``tally`` counts what follows."""
        self._sent.status, self._sent.head_at, self._sent.retry_after_s = head.status, at, retry_after_s
        self._sent.tally = tally
        self.wire.head(head)

    def data(self, data: bytes, at: float) -> None:
        """Send a piece of the body."""
        if self._sent.tally is not self._received.tally:
            self._sent.tally.collect(data, at)
        self.wire.data(data)

    def frame(self, frame: Frame, at: float) -> None:
        """Send a frame that left a chain."""
        if self._sent.tally is not self._received.tally:
            self._sent.tally.count(frame, at)
        self.wire.data(frame.data)

    def unframed(self, data: bytes) -> None:
        """Send bytes that are part of no body."""
        self.wire.unframed(data)

    def end(self, at: float) -> None:
        """Complete the body."""
        self.leave("end", at)
        self.wire.end()

    def abort(self, how: Cut, at: float, ended: Ended | None = None) -> None:
        """End the connection without completing the body."""
        cut: Ended = "reset" if how is not Cut.FIN else "end" if self.wire.fin_is_an_end else "fin"
        self.leave(ended or cut, at)
        self.wire.abort(how)

    def leave(self, ended: Ended, at: float) -> None:
        """Only note how it ended."""
        if self._sent.tally is not self._received.tally:
            self._sent.tally.flush(at)
        self._sent.end(ended, at)

    def separate(self) -> None:
        """From here on the edges may differ."""
        if self._sent.tally is self._received.tally:
            self._sent.tally = self._sent.tally.fork()

    def rejoin(self) -> None:
        """They did not differ, and what was received beyond is about to be sent."""
        self._sent.tally = self._received.tally
