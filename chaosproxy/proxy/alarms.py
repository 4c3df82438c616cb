"""What wakes a proxy for its next timed event: one timer of the kernel, or of the event loop."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from math import inf
from typing import Protocol


class Alarm(Protocol):
    """Rings at about its time; whoever is woken early sets it again."""

    def set(self, at_s: float) -> None:
        """Ring at that time and no other; a time that has passed rings soon, infinity never."""

    def close(self) -> None:
        """Ring no more, and free what it holds."""


def open_alarm(ring: Callable[[], None], clock: Callable[[], float]) -> Alarm:
    """The most exact alarm that there is for ``clock`` in the running loop.

    The kernel's timers know only the monotonic clock. Where they are missing or refused, the loop's own must do.
    """
    if sys.platform == "linux" and clock is time.monotonic:
        try:
            from chaosproxy.proxy.kernel_alarm import KernelAlarm  # noqa: PLC0415 - Linux only, may lack ctypes

            return KernelAlarm(ring)
        except (ImportError, AttributeError, NotImplementedError, OSError):
            pass
    return LoopAlarm(ring, clock)


class LoopAlarm:
    """A timer of the running loop. uvloop's have a grain of a millisecond and may ring early."""

    def __init__(self, ring: Callable[[], None], clock: Callable[[], float]) -> None:
        self._ring = ring
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at_s: float) -> None:
        self.close()
        if at_s < inf:
            self._handle = self._loop.call_later(max(0.0, at_s - self._clock()), self._ring)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
