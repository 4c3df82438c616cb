"""What toxics did to a connection, for the journal: by exchange where one is under way, else by connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from chaosproxy.faults.toxic.base import Direction
from chaosproxy.journal.traffic import FaultHit
from chaosproxy.plan.decision import Decision
from chaosproxy.proxy.account import Account
from chaosproxy.proxy.delivery import AnswerDelivery
from chaosproxy.proxy.tcp.poisoned import Poisoned

NOTHING_MET = "nothing came that it acts on"


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where a witness writes. ``delivered`` is called when no more of an answer can reach its client."""

    listener: str
    clock: Callable[[], float]
    record: Callable[[FaultHit], None]
    delivered: Callable[[Account], None]


class HttpWitness:
    """Follows the exchanges of one poisoned connection.

    A toxic has hit an exchange when it took effect while that was under way, or before on the same connection, and
    bytes of the exchange passed it. A hit that belongs to no exchange is told when the connection or the toxic ends.
    """

    def __init__(self, connection: str, poisoned: Poisoned, ledger: Ledger) -> None:
        self._connection = connection
        self._poisoned = poisoned
        self._ledger = ledger
        self._current: Account | None = None
        self._open: deque[AnswerDelivery] = deque()  # answers that have not all left
        self._writing: AnswerDelivery | None = None
        self._last: Account | None = None
        self._hits: dict[str, tuple[str, Direction]] = {}  # what each toxic did on this connection
        self._homeless: dict[str, FaultHit] = {}  # hits of no exchange, or of the one whose request is on its way
        self._written = 0
        self._delivered = 0

    # exchanges -------------------------------------------------------------------------------------------------------

    def begin(self, account: Account) -> None:
        """An exchange is under way."""
        self._current = self._last = account
        delivery = AnswerDelivery(account, self._ledger.clock, self._ledger.delivered)
        account.delivery = self._writing = delivery
        self._open.append(delivery)
        for rule_id in self._poisoned.rules:
            self.applied(rule_id)
        for rule_id, hit in list(self._homeless.items()):
            if self._hits[rule_id][1] is Direction.UPSTREAM:
                self._tell(account, rule_id, hit.detail)
                del self._homeless[rule_id]
        self._hit_again(account, Direction.UPSTREAM)

    def answered(self) -> None:
        """It writes no more."""
        writing, self._writing, self._current = self._writing, None, None
        if writing is not None:
            writing.answered(self._written, self._delivered)
        self._forget_old()

    def applied(self, rule_id: str) -> None:
        """A toxic is at work: until it takes effect it has not hit what is under way."""
        account = self._current
        if account is not None and rule_id not in account.hit:
            account.misses.setdefault(rule_id, NOTHING_MET)

    def healed(self, rule_id: str) -> None:
        """A toxic is over."""
        self._hits.pop(rule_id, None)
        if (hit := self._homeless.pop(rule_id, None)) is not None:
            self._ledger.record(hit)

    # what the connection tells ---------------------------------------------------------------------------------------

    def written(self, total: int) -> None:
        self._written = total
        if self._writing is not None:
            self._writing.written(total)
        if self._current is not None:
            self._hit_again(self._current, Direction.DOWNSTREAM)

    def delivered(self, total: int) -> None:
        self._delivered = total
        for delivery in tuple(self._open):
            delivery.delivered(total)
        self._forget_old()

    def hit(self, rule_id: str, direction: Direction, words: str) -> None:
        self._hits[rule_id] = (words, direction)
        account = self._current
        if account is None and direction is Direction.DOWNSTREAM and self._open:
            account = self._last
        if account is not None:
            self._tell(account, rule_id, words)
        else:
            self._homeless[rule_id] = self._record_of(rule_id, words)

    def lost(self) -> None:
        for delivery in tuple(self._open):
            delivery.lost(self._poisoned.cut)
        self._open.clear()
        self._writing = self._current = self._last = None
        for hit in self._homeless.values():
            self._ledger.record(hit)
        self._homeless.clear()

    # inside ----------------------------------------------------------------------------------------------------------

    def _hit_again(self, account: Account, direction: Direction) -> None:
        for rule_id, (detail, where) in self._hits.items():
            if where is direction and rule_id not in account.hit and self._poisoned.acts_on(rule_id, direction):
                self._tell(account, rule_id, detail)

    def _tell(self, account: Account, rule_id: str, detail: str) -> None:
        if rule_id in account.hit:
            return
        account.hit.add(rule_id)
        account.misses.pop(rule_id, None)
        account.attached.setdefault(rule_id, Decision(rule_id, "chosen"))
        self._ledger.record(self._record_of(rule_id, detail, account))

    def _record_of(self, rule_id: str, detail: str, account: Account | None = None) -> FaultHit:
        exchange = None if account is None else account.exchange
        return FaultHit(
            fault=rule_id,
            at=self._ledger.clock(),
            listener=self._ledger.listener,
            exchange=None if exchange is None else exchange.id,
            call=None if exchange is None else exchange.call,
            connection=self._connection,
            detail=detail,
        )

    def _forget_old(self) -> None:
        while self._open and self._open[0].over:
            self._open.popleft()
