"""The upstream's side of an exchange: asked or not, paused or not, and read on for a while when nobody listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chaosproxy.proxy.edges import Asking, AskUpstream, Receiver
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.unpacking import Unpacking, unpacking


class UpstreamSide:
    """Asks once. ``on_hang_up`` is called when an answer is given up before its end."""

    __slots__ = ("_ask", "_asking", "_drain_timer", "_drained_bytes", "_limits", "_on_hang_up", "_paused")

    def __init__(self, ask: AskUpstream, limits: Limits, on_hang_up: Callable[[], None]) -> None:
        self._ask = ask
        self._limits = limits
        self._on_hang_up = on_hang_up
        self._asking: Asking | None = None
        self._paused = False
        self._drain_timer: asyncio.TimerHandle | None = None
        self._drained_bytes = 0

    @property
    def under_way(self) -> bool:
        """Whether it was asked and its answer has not ended."""
        return self._asking is not None

    def ask(self, receiver: Receiver, without: tuple[str, ...]) -> None:
        """Send the request, without these header fields."""
        self._asking = self._ask(receiver, without)

    def balance(self, *, full: bool) -> None:
        """Pause while too much waits on our side, and only then."""
        if self._asking is not None and full is not self._paused:
            self._paused = full
            if full:
                self._asking.pause()
            else:
                self._asking.resume()

    def unpack(self, coding: str, receiver: Receiver) -> str | None:
        """The body comes compressed: take that off before ``receiver``. The words that say why not, or None."""
        found = unpacking(coding, receiver, self.cancel)
        if not isinstance(found, Unpacking):
            return coding if found is None else f"{coding}; {found}"
        if self._asking is not None:
            self._asking.hand_to(found)
        return None

    def cancel(self) -> None:
        """Hang up; its end is told by whoever cancels."""
        if self._asking is not None:
            self._asking.cancel()

    def ended(self) -> None:
        """Its answer is over."""
        self._asking = None
        if self._drain_timer is not None:
            self._drain_timer.cancel()

    def drain(self) -> None:
        """The client's side is over: read on within limits, so that the journal knows what this upstream sent."""
        if self._asking is not None:
            self.balance(full=False)
            self._drain_timer = asyncio.get_running_loop().call_later(self._limits.drain_s, self.hang_up)

    def drained(self, size: int) -> None:
        """So many bytes came while nobody listened."""
        self._drained_bytes += size
        if self._drained_bytes > self._limits.drain_bytes:
            self.hang_up()

    def untie(self) -> None:
        """It is over for good: nobody is told any more."""
        self._on_hang_up = _nobody

    def hang_up(self) -> None:
        """Give up what is still to come."""
        if self._asking is not None:
            self._asking.cancel()
            self.ended()
            self._on_hang_up()


def _nobody() -> None:
    """Whom an exchange tells that is over."""
