"""All timed events of one proxy: a heap of them, and one alarm that rings for the earliest."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf, nextafter

from chaosproxy.proxy.alarms import Alarm, open_alarm

_GARBAGE = 64
"""Cancelled entries that may always stay in the heap; beyond that, never more than those that are alive."""


def moment(began_at_s: float, after_s: float) -> float:
    """The sum, and a last bit more where it needs one so that ``after_s`` have really passed since ``began_at_s``.

    Whoever is woken at a sum that was rounded down finds it too early, and under virtual time for ever.
    """
    at_s = began_at_s + after_s
    while at_s - began_at_s < after_s:
        at_s = nextafter(at_s, inf)
    return at_s


class Timer:
    """A callback that waits for its time."""

    __slots__ = ("_callback", "_cancelled")

    def __init__(self, callback: Callable[[], object], cancelled: Callable[[], None]) -> None:
        self._callback: Callable[[], object] | None = callback
        self._cancelled = cancelled

    @property
    def waits(self) -> bool:
        """Whether it is still to be called back."""
        return self._callback is not None

    def cancel(self) -> None:
        """Do not call back; nothing when it already has."""
        if self._callback is not None:
            self._callback = None
            self._cancelled()

    def run(self) -> None:
        """Call back, once."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Timers:
    """Calls back at times of ``clock`` (monotonic seconds): never early, and in the order of time.

    Callbacks of one time run in the order in which they were asked for. What a callback asks for comes after all that
    is due, in the loop's next turn, also when its own time has passed: nobody can keep the others from their turn.
    What a callback raises is told to the loop's exception handler. Needs a running loop; ``alarm`` opens what wakes it.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        alarm: Callable[[Callable[[], None], Callable[[], float]], Alarm] = open_alarm,
    ) -> None:
        self._clock = clock
        self._open_alarm = alarm
        self._alarm: Alarm | None = None
        self._alarm_at_s = inf
        self._ringing_s = -inf
        self._heap: list[tuple[float, int, Timer]] = []
        self._serials = count()
        self._garbage = 0

    def __len__(self) -> int:
        """How many callbacks wait."""
        return len(self._heap) - self._garbage

    def call_at(self, at_s: float, callback: Callable[[], object]) -> Timer:
        """Call back at ``at_s`` or as soon after it as the loop can; a time that has passed means soon."""
        timer = Timer(callback, self._cancelled)
        at_s = max(at_s, self._ringing_s)
        heappush(self._heap, (at_s, next(self._serials), timer))
        if at_s < self._alarm_at_s:
            self._set_alarm(at_s)
        return timer

    def close(self) -> None:
        """Call nobody back any more, and free the alarm. The next ``call_at`` opens it again."""
        for _, _, timer in tuple(self._heap):
            timer.cancel()
        self._heap.clear()
        self._garbage = 0
        self._alarm_at_s = inf
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None

    def _set_alarm(self, at_s: float) -> None:
        if self._alarm is None:
            self._alarm = self._open_alarm(self._ring, self._clock)
        self._alarm_at_s = at_s
        self._alarm.set(at_s)

    def _ring(self) -> None:
        """Run all that is due. An alarm that rang early, or for a cancelled callback, is only set again.

        What a callback raises goes to the loop, and what is due besides runs in its next turn.
        """
        heap, last = self._heap, next(self._serials)
        self._ringing_s = now = self._clock()
        try:
            while heap and heap[0][:2] < (now, last):
                timer = heappop(heap)[2]
                self._garbage -= not timer.waits
                timer.run()
        finally:
            self._ringing_s = -inf
            self._sleep()

    def _sleep(self) -> None:
        heap = self._heap
        while heap and not heap[0][2].waits:
            heappop(heap)
            self._garbage -= 1
        if self._alarm is not None:  # or a callback closed it
            self._set_alarm(heap[0][0] if heap else inf)

    def _cancelled(self) -> None:
        self._garbage += 1
        if self._garbage > _GARBAGE and self._garbage * 2 > len(self._heap):
            self._heap[:] = [entry for entry in self._heap if entry[2].waits]
            heapify(self._heap)
            self._garbage = 0
