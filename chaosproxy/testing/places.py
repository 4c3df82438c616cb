"""Where a ``where`` lies, found again from the bytes: a second opinion on ``faults/where.py``."""

from __future__ import annotations

from itertools import accumulate

from chaosproxy.events import TOKEN, Frame, Kind
from chaosproxy.faults.where import Where
from chaosproxy.testing.cases import Case


def place_of(where: Where, case: Case) -> tuple[int, int] | None:
    """Which of the frames to come it is in, and how many bytes of that lie before it; None when it does not come."""
    head = case.head
    if where.unit == "message":
        return _place_of_message(int(where.count), case)
    if where.unit in ("byte", "percent"):
        return _place_of_byte(where, case, None if head is None else head.length)
    if head is None or not head.streamed:
        return None
    kinds = [case.dialect.read_event(frame.data).kind for frame in case.frames]
    if where.unit == "event":
        return _end_of(int(where.count), list(range(len(kinds))), case.exchange.seen.events, case.frames)
    if where.unit == "token":
        tokens = [index for index, kind in enumerate(kinds) if kind & TOKEN]
        return _end_of(int(where.count), tokens, case.exchange.seen.tokens, case.frames)
    terminal = next((index for index, kind in enumerate(kinds) if kind & Kind.TERMINAL), None)
    if terminal is None:
        return None
    return terminal, 0 if where.unit == "before_terminal" else len(case.frames[terminal].data)


def bytes_before(place: tuple[int, int], case: Case) -> int:
    """How much of the body that is to come lies before a place."""
    index, before = place
    return sum(len(frame.data) for frame in case.frames[:index]) + before


def _end_of(count: int, indices: list[int], passed: int, frames: list[Frame]) -> tuple[int, int] | None:
    """The end of the count-th (of the whole answer) that ``indices`` are, or the begin of the first."""
    if count == 0:
        return (indices[0], 0) if indices and passed == 0 else None
    if not passed < count <= passed + len(indices):
        return None
    index = indices[count - passed - 1]
    return index, len(frames[index].data)


def _place_of_message(count: int, case: Case) -> tuple[int, int] | None:
    """From the first byte of each WebSocket frame: FIN, and an opcode that is 0 in continuations and 8 in controls."""
    if case.head is None or case.head.status != 101 or case.exchange.seen.head is not None:
        return None
    parts = [(index, frame.data[0]) for index, frame in enumerate(case.frames) if not frame.data[0] & 0x08]
    ends = [index for index, first in parts if first & 0x80]
    if count == 0:
        return (parts[0][0], 0) if parts else None
    return (ends[count - 1], len(case.frames[ends[count - 1]].data)) if count <= len(ends) else None


def _place_of_byte(where: Where, case: Case, length: int | None) -> tuple[int, int] | None:
    if where.unit == "percent" and length is None:
        return None
    count = int(where.count) if where.unit == "byte" else int((length or 0) * where.count // 100)
    begins = list(accumulate((len(frame.data) for frame in case.frames), initial=case.exchange.seen.bytes))
    return next(
        ((index, count - begin) for index, begin in enumerate(begins[:-1]) if begin <= count < begins[index + 1]), None
    )
