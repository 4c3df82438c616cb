"""What each room allows, whatever a fault declares beyond it."""

from __future__ import annotations

from dataclasses import replace

from chaosproxy.events import Ask, End
from chaosproxy.faults.base import Fault, Room
from chaosproxy.faults.toxic.base import Toxic
from chaosproxy.faults.where import Where
from chaosproxy.testing.lateness import later_never_different, times
from chaosproxy.testing.places import place_of
from chaosproxy.testing.trial import Law, Trial
from chaosproxy.wire.foreign_json import parse
from chaosproxy.wire.sse import read_event


def it_keeps_the_request(fault: Fault, done: Trial) -> str | None:
    """A fault that says ``stops_upstream`` never asks the upstream when it hits."""
    if not fault.stops_upstream or not done.hit or done.case.exchange.seen.open:
        return None
    return "the upstream was asked" if any(isinstance(event, Ask) for event in done.out) else None


def it_speaks_when_its_place_comes(fault: Fault, done: Trial) -> str | None:
    """A fault with a ``where`` that is there from the start says a Hit or a Miss once the place has come."""
    where = getattr(fault, "where", None)
    if not isinstance(where, Where) or done.said or done.case.exchange.seen.open or fault == fault.neutral():
        return None
    place = place_of(where, done.case)
    if place is None or not done.case.lasts(done.case.frames[place[0]]):
        return None
    return f"{where} lies in {done.case.frames[place[0]]}, and it said nothing"


def it_still_parses(fault: Fault, done: Trial) -> str | None:
    """Every frame is what the dialect reads in it, and none is broken."""
    if done.head is None or not done.head.streamed:
        return None
    for frame in done.frames:
        payload = read_event(frame.data).data
        if payload is not None and payload != "[DONE]" and not isinstance(parse(payload), dict):
            return f"not an event: {frame.data!r}"
        if payload is not None and frame.meaning != done.case.dialect.read_event(frame.data):
            return f"its meaning is not what the dialect reads: {frame}"
    return None


def a_beginning_and_never_earlier(fault: Fault, done: Trial) -> str | None:
    """The same bytes in the same order, none earlier, and all of them unless the toxic says that it eats some."""
    given, got = times(done.case.events), times(done.out)
    if not given[0].startswith(got[0]):
        return "other bytes, or in another order"
    if any(out_at < in_at for in_at, out_at in zip(given[1], got[1], strict=False)):
        return "something came earlier than it was received"
    if isinstance(fault, Toxic) and fault.eats:
        return None
    end, ended = done.case.events[-1], done.ends[0]
    same_end = type(end) is type(ended) and (isinstance(end, End) or end == replace(ended, at=end.at))
    return None if got[0] == given[0] and same_end else f"something was lost: {done.out}"


ROOM_LAWS: dict[Room, tuple[Law, ...]] = {
    Room.ADMISSION: (it_keeps_the_request,),
    Room.TIMING: (later_never_different, it_speaks_when_its_place_comes),
    Room.FRAMING: (it_speaks_when_its_place_comes,),
    Room.SEMANTIC: (it_still_parses, it_speaks_when_its_place_comes),
    Room.TOXIC: (a_beginning_and_never_earlier,),
}
