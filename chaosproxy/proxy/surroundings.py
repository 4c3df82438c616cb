"""What all exchanges of one proxy share, and how the faults at work in one of them report to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from chaosproxy.events import Hit
from chaosproxy.faults.chain import NeverRests, Report
from chaosproxy.journal.records import Trouble
from chaosproxy.journal.traffic import FaultHit
from chaosproxy.plan.decision import Decision
from chaosproxy.proxy.account import Account
from chaosproxy.proxy.client_wire import HttpWire
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.plain_traceback import plain_traceback
from chaosproxy.proxy.timers import Timers

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """``token`` is part of each exchange's id, so that journals of several proxies or runs can be merged.

    ``clock`` is monotonic seconds, ``timers`` call back at times of it; ``wall`` is seconds since the epoch.

    ``record`` writes what happens at its moment, ``began`` is told of each exchange before the plan is asked about it,
    ``missed`` tells the plan that a chosen exchange was not hit, ``finished`` gets each account when both of its edges
    have ended, ``refused`` counts requests that have none.
    """

    token: str
    limits: Limits
    clock: Callable[[], float]
    timers: Timers
    wall: Callable[[], float]
    record: Callable[[FaultHit | Trouble], None]
    began: Callable[[Account, HttpWire], None]
    missed: Callable[[Decision], None]
    finished: Callable[[Account], None]
    refused: Callable[[str], None]

    def note(self, account: Account, report: Report) -> None:
        """A fault said what it did, or why it did nothing."""
        if not isinstance(report.said, Hit):
            self.miss(account, report.fault_id, report.said.reason)
            return
        exchange = account.exchange
        account.hit.add(report.fault_id)
        account.misses.pop(report.fault_id, None)
        self.record(
            FaultHit(
                fault=report.fault_id,
                at=account.began_at + report.said.at,
                listener=exchange.listener,
                exchange=exchange.id,
                call=exchange.call,
                detail=report.said.detail,
            )
        )

    def failed(self, account: Account, error: Exception) -> None:
        """A fault raised in one of this account's exchanges: a bug of ours, with its traceback in the log."""
        stack = plain_traceback(error)
        log.error("fault_failed", stack=stack, exchange=account.exchange.id, attached=list(account.attached))
        at_work = ", ".join(account.attached) or "none yet"
        what = str(error) if isinstance(error, NeverRests) else type(error).__name__  # others may quote the answer
        detail = f"a fault failed in {account.exchange.id} ({what}); at work: {at_work}"
        self.record(Trouble(at=self.clock(), part="faults", detail=detail))

    def miss(self, account: Account, fault: str, reason: str) -> None:
        """A fault that was at work did nothing; the first reason counts."""
        if fault not in account.hit and fault not in account.misses:
            account.misses[fault] = reason
            self.missed(account.attached[fault])

    def miss_silent(self, account: Account, reason: str) -> None:
        """No fault that has said nothing will act on this exchange any more."""
        for fault in account.silent:
            self.miss(account, fault, reason)
