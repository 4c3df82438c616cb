"""What each toxic declares to do with the bytes of a connection, told again in a few lines of its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from chaosproxy.events import AT_HEAL, Abort, Cut, End, Frame, Travelling
from chaosproxy.faults.base import Fault
from chaosproxy.testing.cases import Case
from chaosproxy.testing.lateness import times
from chaosproxy.testing.trial import LEASE_S, Trial


def as_the_toxic_declares(fault: Fault, done: Trial) -> str | None:
    """While it lasts it does what its settings say, and then lets go of what it held."""
    settings: Any = fault
    if settings.toxicity < 1:
        return None
    return _DECLARED[fault.type](settings, done)


def _heal_at(case: Case) -> float:
    return LEASE_S if case.heal_at is None else case.heal_at


def _healed(case: Case, received_at: float, due_at: float) -> float:
    """When something leaves that was received while the toxic lasted, or after it."""
    return received_at if received_at >= _heal_at(case) else min(due_at, _heal_at(case))


def _nothing_moves(_: Any, done: Trial) -> str | None:
    return None if done.out == done.case.events else "it moved something"


def _latency(toxic: Any, done: Trial) -> str | None:
    given, got = times(done.case.events)[1], times(done.out)[1]
    least, most, latest = max(0.0, toxic.latency - toxic.jitter), toxic.latency + toxic.jitter, 0.0
    for received_at, left_at in zip(given, got, strict=True):
        latest = max(latest, received_at + most)
        low = _healed(done.case, received_at, received_at + least)
        high = _healed(done.case, received_at, latest)
        if not low - 1e-9 <= left_at <= high + 1e-9:
            return f"received at {received_at}, left at {left_at}"
    end_at = max([done.case.events[-1].at, *got])
    return None if done.ends[0].at == end_at else f"the end left at {done.ends[0].at}, not at {end_at}"


def _bandwidth(toxic: Any, done: Trial) -> str | None:
    rate, free_at, last_at, expected = toxic.rate * 1000, 0.0, 0.0, []
    for frame in done.case.frames:
        begin_at = max(free_at, frame.at)
        size = len(frame.data)
        step = rate // 10 or size
        for place in range(1, size + 1):
            carried = min(size, -(-place // step) * step)
            due_at = begin_at + carried / rate if rate else AT_HEAL
            last_at = max(last_at, _healed(done.case, frame.at, due_at))
            expected.append(last_at)
        free_at = begin_at + size / rate if rate else AT_HEAL
    got = times(done.out)[1]
    wrong = [(due, at) for due, at in zip(expected, got, strict=True) if abs(due - at) > 1e-6]
    return f"due at {wrong[0][0]}, left at {wrong[0][1]}" if wrong else None


def _slow_close(toxic: Any, done: Trial) -> str | None:
    if times(done.out) != times(done.case.events):
        return "it moved data"
    end = done.case.events[-1]
    due_at = _healed(done.case, end.at, end.at + toxic.delay) if isinstance(end, End) else end.at
    return None if done.ends[0].at == due_at else f"it closed at {done.ends[0].at}, not at {due_at}"


def _silence(toxic: Any, done: Trial) -> str | None:
    case = done.case
    if done.frames:
        return f"data came through: {done.frames}"
    deadline = case.attach_at + toxic.timeout if toxic.timeout else AT_HEAL
    for event in case.events:
        if deadline <= event.at or _heal_at(case) <= event.at:
            break
        if not isinstance(event, Frame):
            return None if done.ends == [event] else f"the peer ended with {event}, it with {done.ends}"
        deadline = event.at + toxic.timeout if toxic.timeout else AT_HEAL
    due = Abort(min(deadline, _heal_at(case)), Cut.FIN)
    return None if done.ends == [due] else f"it ended with {done.ends}, not {due}"


def _reset(toxic: Any, done: Trial) -> str | None:
    case, first = done.case, done.case.events[0]
    if _heal_at(case) <= first.at or isinstance(first, Abort):
        return _nothing_moves(toxic, done)
    due_at = min(first.at + toxic.timeout, _heal_at(case))
    broken = [event.at for event in case.events if isinstance(event, Abort) and event.at < due_at]
    at, how = (broken[0], done.ends[0]) if broken else (due_at, Abort(due_at, Cut.RESET))
    return None if not done.frames and done.ends == [how] and how.at == at else f"{done.out}, not a reset at {at}"


def _slices(toxic: Any, done: Trial) -> str | None:
    case = done.case
    longest = toxic.average_size + toxic.size_variation
    cut = [frame for frame in done.frames if frame.at < _heal_at(case)]
    if toxic.average_size and any(len(frame.data) > max(1, longest) for frame in cut):
        return f"a slice of more than {longest} bytes: {cut}"
    whole = {frame.data for frame in case.frames}
    if any(frame.data not in whole for frame in done.frames if not toxic.average_size):
        return "it cut what it should not"
    if any(later.at - frame.at < toxic.delay - 1e-9 for frame, later in pairwise(cut)):
        return f"slices follow each other by less than {toxic.delay}: {cut}"
    if case.heal_at is None and cut and done.ends[0].at < cut[-1].at + toxic.delay - 1e-9:
        return "the end came before the delay after the last slice was over"
    if case.heal_at is None and not toxic.delay and times(done.out)[1] != times(case.events)[1]:
        return "it delayed data"
    return None


def _limit(toxic: Any, done: Trial) -> str | None:
    passed = 0
    expected: list[Travelling] = []
    for event in done.case.events:
        if isinstance(event, Frame) and event.at < _heal_at(done.case):
            left = toxic.bytes - passed
            passed += len(event.data)
            if passed >= toxic.bytes:
                expected += [Frame(event.at, event.data[:left], event.meaning)] if left else []
                expected.append(Abort(event.at, Cut.FIN))
                break
        expected.append(event)
    return None if list(done.out) == expected else f"{done.out}, not {expected}"


def _down(_: Any, done: Trial) -> str | None:
    closed = Abort(done.case.attach_at, Cut.FIN)
    return None if done.out == (closed,) else f"{done.out}, not {closed}"


_DECLARED: dict[str, Callable[[Any, Trial], str | None]] = {
    "toxic.latency": _latency,
    "toxic.bandwidth": _bandwidth,
    "toxic.slow_close": _slow_close,
    "toxic.timeout": _silence,
    "toxic.reset_peer": _reset,
    "toxic.slicer": _slices,
    "toxic.limit_data": _limit,
    "toxic.noop": _nothing_moves,
    "toxic.down": _down,
}
