"""What of an answer really leaves for the client, where toxics hold, cut or drop the bytes of its connection.

An exchange knows what it wrote; a connection with toxics knows how many bytes of that its socket got. With each write
goes a copy of the count of what was written, so that the journal can say what the client got, and when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from chaosproxy.events import Cut, value
from chaosproxy.proxy.account import Account, Ended
from chaosproxy.proxy.tally import Tally


@value
class _Mark:
    """What had been written when the connection had written ``total`` bytes."""

    total: int
    has_head: bool
    tally: Tally


class AnswerDelivery:
    """The answer of one exchange. ``on_over`` is called once, when no more of it can reach the client.

    What was written before it began has been delivered. Times are seconds since the exchange began.
    """

    __slots__ = (
        "_account",
        "_clock",
        "_delivered",
        "_end_at",
        "_ended",
        "_first_content_at",
        "_head_at",
        "_marks",
        "_on_over",
        "_total",
        "over",
    )

    def __init__(self, account: Account, clock: Callable[[], float], on_over: Callable[[Account], None]) -> None:
        sent = account.sent
        self._account = account
        self._clock = clock
        self._on_over = on_over
        self._marks: deque[_Mark] = deque()
        self._delivered = sent.tally.fork()
        self._head_at = sent.head_at
        self._first_content_at = sent.tally.first_content_at
        self._total: int | None = None  # that the connection had written when the answer was complete
        self._ended: Ended = "none"
        self._end_at: float | None = None
        self.over = False
        """Whether nothing more of this answer can reach the client."""

    def written(self, total: int) -> None:
        """The connection has written ``total`` bytes."""
        sent = self._account.sent
        self._marks.append(_Mark(total, sent.head_at is not None, sent.tally.fork()))

    def delivered(self, total: int) -> None:
        """The socket has got ``total`` bytes."""
        at = self._now()
        while self._marks and self._marks[0].total <= total:
            mark = self._marks.popleft()
            self._delivered = mark.tally
            if mark.has_head and self._head_at is None:
                self._head_at = at
            if self._first_content_at is None and mark.tally.first_content_at is not None:
                self._first_content_at = at
        if self._total is not None and self._total <= total:
            self._settle(self._account.sent.ended, at)

    def answered(self, total: int, delivered: int) -> None:
        """The exchange writes no more; ``total`` is what the connection has written, ``delivered`` what has left."""
        self._total = total
        if total <= delivered:
            self._settle(self._account.sent.ended, self._now())

    def lost(self, cut: Cut | None) -> None:
        """The connection is over; ``cut`` is how a toxic ended it."""
        ended: Ended = "gone"
        if cut is not None:
            ended = "fin" if cut is Cut.FIN else "reset"
        elif self._account.sent.ended not in ("end", "none"):
            ended = self._account.sent.ended
        self._settle(ended, self._now(), complete=False)

    def values(self, began_at: float) -> dict[str, Any]:
        """The fields of a journal's Edge, defaults left out."""
        sent = self._account.sent
        values = self._delivered.values(began_at)
        if self._first_content_at is not None and "first_content_at" in values:
            values["first_content_at"] = began_at + self._first_content_at
        if self._head_at is not None:
            values["head_at"] = began_at + self._head_at
            if sent.status is not None:
                values["status"] = sent.status
            if sent.retry_after_s is not None:
                values["retry_after_s"] = sent.retry_after_s
        if self._end_at is not None:
            values["end_at"] = began_at + self._end_at
        if self._ended != "none":
            values["ended"] = self._ended
        if sent.tunnelled_bytes:
            values["bytes"] = values.get("bytes", 0) + sent.tunnelled_bytes
        return values

    def _settle(self, ended: Ended, at: float, *, complete: bool = True) -> None:
        if self.over:
            return
        self.over, self._ended, self._end_at = True, ended, at
        self._marks.clear()
        if complete:  # also what was read only at the end
            self._delivered = self._account.sent.tally
        self._on_over(self._account)

    def _now(self) -> float:
        return self._clock() - self._account.began_at
