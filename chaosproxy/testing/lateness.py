"""What is later, and what is different."""

from __future__ import annotations

from dataclasses import replace

from chaosproxy.events import Abort, Cut, End, Frame, Kind, Travelling
from chaosproxy.faults.base import Fault
from chaosproxy.testing.trial import Trial


def later_never_different(fault: Fault, done: Trial) -> str | None:
    """The same bytes in the same order, none earlier; an endless stall breaks off when its lease ends.

    Signs of life may be added.
    """
    del fault
    broken = _later(done.case.events, done)
    return broken and _later(tuple(event for event in done.case.events if not _keeps_alive(event)), _unsigned(done))


def _later(events: tuple[Travelling, ...], done: Trial) -> str | None:
    given, got = times(events), times(done.out)
    endless = done.hit and isinstance(done.ends[0], Abort) and done.ends[0].how is Cut.RESET
    if got != given and (not endless or len(got[0]) > len(given[0])) and got[0] != given[0]:
        return "bytes differ"
    if not given[0].startswith(got[0]):
        return "other bytes, or in another order"
    if any(out_at < in_at for in_at, out_at in zip(given[1], got[1], strict=False)):
        return "something came earlier than from the upstream"
    whole = len(got[0]) == len(given[0]) and done.ends[0] == _moved(done.case.events[-1], done.ends[0].at)
    return None if whole or endless else f"something was lost: {done.out}"


def _unsigned(done: Trial) -> Trial:
    return replace(done, out=tuple(event for event in done.out if not _keeps_alive(event)))


def _keeps_alive(event: object) -> bool:
    return isinstance(event, Frame) and bool(event.kind & Kind.KEEPALIVE)


def times(events: tuple[object, ...]) -> tuple[bytes, list[float]]:
    """All bytes, and when each came."""
    frames = [event for event in events if isinstance(event, Frame)]
    return b"".join(frame.data for frame in frames), [frame.at for frame in frames for _ in frame.data]


def _moved(end: object, at: float) -> End | Abort | None:
    return Abort(at, end.how) if isinstance(end, Abort) else End(at) if isinstance(end, End) else None
