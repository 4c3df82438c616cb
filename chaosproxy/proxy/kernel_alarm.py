"""A timer of the Linux kernel on the monotonic clock, which the event loop watches: timerfd_create(2)."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from math import ceil

_NEVER_S = 1e9
"""Three decades: the kernel's way to say never."""

if sys.version_info >= (3, 13):

    def _create() -> int:
        return os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)

    def _set(descriptor: int, at_ns: int) -> None:
        os.timerfd_settime_ns(descriptor, flags=os.TFD_TIMER_ABSTIME, initial=at_ns)

else:
    import ctypes
    import struct

    _TIMER_ABSTIME = 1
    _libc = ctypes.CDLL(None, use_errno=True)
    _itimerspec = struct.Struct("@4l")  # interval and first time, each in seconds and nanoseconds

    def _create() -> int:
        descriptor: int = _libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if descriptor < 0:
            raise _last_error()
        return descriptor

    def _set(descriptor: int, at_ns: int) -> None:
        if _libc.timerfd_settime(descriptor, _TIMER_ABSTIME, _itimerspec.pack(0, 0, *divmod(at_ns, 10**9)), None):
            raise _last_error()

    def _last_error() -> OSError:
        code = ctypes.get_errno()
        return OSError(code, os.strerror(code))


class KernelAlarm:
    """Exact to the kernel's own lag. Raises OSError or NotImplementedError where the system or the loop refuses it."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = _create()
        try:
            self._loop.add_reader(self._descriptor, ring)
        except BaseException:
            os.close(self._descriptor)
            raise

    def set(self, at_s: float) -> None:
        # It is never read: setting it again is what makes it unreadable. Zero would switch it off.
        _set(self._descriptor, max(1, ceil(min(at_s, _NEVER_S) * 1e9)))

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
