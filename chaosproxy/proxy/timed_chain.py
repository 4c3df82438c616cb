"""The chain of one exchange on the proxy's clock: what is due leaves it at its time, and what it says is noted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from chaosproxy.events import Travelling
from chaosproxy.faults.base import Stage
from chaosproxy.faults.chain import Chain
from chaosproxy.proxy.account import Account
from chaosproxy.proxy.surroundings import Surroundings
from chaosproxy.proxy.timers import Timer, moment


class TimedChain:
    """Gives to ``let_out`` what leaves the chain. Times are seconds since the exchange began.

    ``on_full`` is called when ``full`` has changed. ``wake`` is called at the time of the next event, and answers with
    ``advance``.
    """

    __slots__ = ("_account", "_around", "_chain", "_due_at", "_let_out", "_on_full", "_timer", "_wake", "full")

    def __init__(
        self,
        account: Account,
        around: Surroundings,
        *,
        let_out: Callable[[Travelling, float], None],
        on_full: Callable[[], None],
        wake: Callable[[], None],
    ) -> None:
        self._account = account
        self._around = around
        self._let_out = let_out
        self._on_full = on_full
        self._wake = wake
        self._chain: Chain | None = None  # from the first fault on
        self._timer: Timer | None = None
        self._due_at: float | None = None
        self.full = False
        """Whether more is held back than Limits.held_bytes."""

    @property
    def empty(self) -> bool:
        """No fault is at work."""
        return self._chain is None or self._chain.empty

    def attach(self, fault_id: str, stage: Stage, at: float) -> None:
        """Add a stage. Follow with ``advance``."""
        if self._chain is None:
            self._chain = Chain()
        self._chain.attach(fault_id, stage, at)

    def heal(self, fault_id: str, at: float) -> None:
        """End a fault, and let out what it held back."""
        if self._chain is not None:
            self._chain.heal(fault_id, at)
            self._advance(self._chain, at)

    def keep(self, fault_ids: Collection[str]) -> None:
        """Take all other faults away, with what they hold."""
        if self._chain is not None:
            self._chain.keep(fault_ids)

    def redirect(self, let_out: Callable[[Travelling, float], None], on_full: Callable[[], None]) -> None:
        """From now on what leaves the chain goes to somebody else."""
        self._let_out, self._on_full = let_out, on_full

    def push(self, events: Iterable[Travelling], at: float) -> None:
        """Feed what came from the upstream, once a fault was attached."""
        if self._chain is not None:
            for event in events:
                self._chain.push(event)
            self._advance(self._chain, at)

    def advance(self, at: float) -> None:
        """Let out what is due, and set the timer for the rest."""
        if self._chain is not None:
            self._advance(self._chain, at)

    def drop(self) -> None:
        """Take all faults away with everything that they hold; nothing leaves any more."""
        self._chain, self.full = None, False
        self._set_timer(None)

    def untie(self) -> None:
        """It is over for good: nobody is called any more."""
        self._let_out, self._on_full, self._wake = _nobody, _nobody, _nobody

    def _advance(self, chain: Chain, at: float) -> None:
        events = chain.advance(at)
        for report in chain.take_reports():
            self._around.note(self._account, report)
        for event in events:
            self._let_out(event, at)
        if self._chain is not chain:  # dropped meanwhile
            return
        full = chain.held_bytes > self._around.limits.held_bytes
        if full is not self.full:
            self.full = full
            self._on_full()
        due_at = chain.next_at()
        if due_at != self._due_at or (self._timer is not None and not self._timer.waits):
            self._set_timer(due_at)

    def _set_timer(self, due_at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due_at = due_at
        if due_at is None:
            self._timer = None
        else:
            self._timer = self._around.timers.call_at(moment(self._account.began_at, due_at), self._wake)


def _nobody(*_: object) -> None:
    """Whom an exchange calls that is over, from the middle of a call in which it ended."""
