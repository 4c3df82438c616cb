"""Defects: what a healthy stage emits, twisted in one way each."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from chaosproxy.events import (
    RAW,
    Abort,
    Ask,
    Cut,
    End,
    Frame,
    Framing,
    Head,
    Heal,
    Hit,
    Incoming,
    Kind,
    Meaning,
    Miss,
    Outgoing,
    Tick,
)
from chaosproxy.faults.base import Stage
from chaosproxy.wire.dialects import dialect

Twist = Callable[[Incoming, list[Outgoing]], Iterable[Outgoing]]
"""What the defect makes of the events that the healthy stage emitted for the one that it was fed."""


class Twisted:
    """A stage with a defect."""

    def __init__(self, healthy: Stage, twist: Twist) -> None:
        self._healthy = healthy
        self._twist = twist

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        return list(self._twist(event, list(self._healthy.feed(event))))


# defects that any stage may have ------------------------------------------------------------------------------------


def never_ends() -> Twist:
    """The end is forgotten."""
    return lambda fed, out: [event for event in out if not isinstance(event, End | Abort)]


def goes_on_after_its_end() -> Twist:
    """Something follows the end."""

    def twist(fed: Incoming, out: list[Outgoing]) -> Iterable[Outgoing]:
        for event in out:
            yield event
            if isinstance(event, End | Abort):
                yield Frame(event.at, b"more", RAW)

    return twist


def has_a_stale_clock() -> Twist:
    """Events carry the time of the one before."""
    last_at = 0.0

    def twist(fed: Incoming, out: list[Outgoing]) -> Iterable[Outgoing]:
        nonlocal last_at
        stale_at, last_at = last_at, fed.at
        return [event if isinstance(event, Hit | Miss | Tick) else replace(event, at=stale_at) for event in out]

    return twist


def changes_what_it_got() -> Twist:
    """The event that was fed is written to, and stays that way for whoever else holds it."""

    def twist(fed: Incoming, out: list[Outgoing]) -> Iterable[Outgoing]:
        if isinstance(fed, Frame):
            fed.meaning = Meaning(Kind.OTHER, "changed")  # type: ignore[misc]
        return out

    return twist


_SHARED = random.Random(1)


def shares_its_dice() -> Twist:
    """The delay of a stage depends on how many stages there were before."""
    delay_s = _SHARED.random()
    return lambda fed, out: [
        event if isinstance(event, Hit | Miss | Tick) else replace(event, at=event.at + delay_s) for event in out
    ]


def says_nothing() -> Twist:
    """Neither Hit nor Miss."""
    return lambda fed, out: [event for event in out if not isinstance(event, Hit | Miss)]


def says_it_twice() -> Twist:
    """Every Hit and Miss comes twice."""
    return lambda fed, out: [again for event in out for again in [event] * (1 + isinstance(event, Hit | Miss))]


def boasts() -> Twist:
    """Every Miss is told as a Hit."""
    return lambda fed, out: [Hit(event.at, event.reason) if isinstance(event, Miss) else event for event in out]


def only_talks() -> Twist:
    """It says what it would have done, and does nothing."""

    def twist(fed: Incoming, out: list[Outgoing]) -> Iterable[Outgoing]:
        said = [event for event in out if isinstance(event, Hit | Miss)]
        return [*said, *([] if isinstance(fed, Tick | Heal) else [fed])]

    return twist


def loses_a_byte() -> Twist:
    """The last byte of every frame but the last one fed is lost."""
    return lambda fed, out: [
        replace(event, data=event.data[:-1]) if isinstance(event, Frame) and len(event.data) > 1 else event
        for event in out
    ]


def loses_the_first_frame() -> Twist:
    """Off by one at the beginning."""
    lost = False

    def twist(fed: Incoming, out: list[Outgoing]) -> Iterable[Outgoing]:
        nonlocal lost
        for event in out:
            if isinstance(event, Frame) and not lost:
                lost = True
            else:
                yield event

    return twist


def replaces(old: bytes, new: bytes) -> Callable[[], Twist]:
    """Bytes of frames are rewritten."""
    return lambda: (
        lambda fed, out: [
            replace(event, data=event.data.replace(old, new)) if isinstance(event, Frame) else event for event in out
        ]
    )


# defects of one room ------------------------------------------------------------------------------------------------


def asks_the_upstream() -> Twist:
    """The request goes through although it was answered."""
    return lambda fed, out: [*out, fed] if isinstance(fed, Ask) else out


def miscounts_its_body() -> Twist:
    """Content-Length is one too long."""
    return lambda fed, out: [
        event.framed(Framing.LENGTH, (event.length or 0) + 1) if isinstance(event, Head) else event for event in out
    ]


def answers_with_200() -> Twist:
    """An error under a good status."""
    return lambda fed, out: [replace(event, status=200) if isinstance(event, Head) else event for event in out]


def speaks_another_dialect() -> Twist:
    """A body of ours that no provider sends."""
    foreign = b'{"detail": "rate limited", "error": {}}'

    def twist(fed: Incoming, out: list[Outgoing]) -> Iterable[Outgoing]:
        for event in out:
            if isinstance(event, Head):
                yield event.framed(Framing.LENGTH, len(foreign))
            else:
                yield replace(event, data=foreign) if isinstance(event, Frame) else event

    return twist


def leaks_the_answer() -> Twist:
    """The head of a lost answer arrives."""
    return lambda fed, out: [fed, *out] if isinstance(fed, Head) else out


def swaps_frames() -> Twist:
    """Two frames change places."""
    held: list[Frame] = []

    def twist(fed: Incoming, out: list[Outgoing]) -> Iterable[Outgoing]:
        for event in out:
            if isinstance(event, Frame) and not held:
                held.append(event)
            elif held and held[0].data and not isinstance(event, Hit | Miss | Tick):
                late = replace(held[0], at=event.at)
                held[0] = replace(late, data=b"")
                yield from (event, late) if isinstance(event, Frame) else (late, event)
            else:
                yield event

    return twist


def snaps_back() -> Twist:
    """Only the first delayed event is late, the next one is on time again."""
    late = False

    def twist(fed: Incoming, out: list[Outgoing]) -> Iterable[Outgoing]:
        nonlocal late
        for event in out:
            if isinstance(event, Frame | End | Abort) and event.at > fed.at and late:
                yield replace(event, at=fed.at)
            else:
                late = late or event.at > fed.at
                yield event

    return twist


def drops_what_it_delays() -> Twist:
    """What is late is lost."""
    return lambda fed, out: [event for event in out if not isinstance(event, Frame) or event.at == fed.at]


def ends_early() -> Twist:
    """The end does not wait for the frames."""
    return lambda fed, out: [replace(event, at=fed.at) if isinstance(event, End | Abort) else event for event in out]


def cuts_otherwise() -> Twist:
    """RST where a FIN was declared, and the reverse."""
    other = {Cut.FIN: Cut.RESET, Cut.RESET: Cut.FIN}
    return lambda fed, out: [
        replace(event, how=other[event.how]) if isinstance(event, Abort) else event for event in out
    ]


def delays() -> Twist:
    """A framing or semantic fault that is late, too."""
    return lambda fed, out: [
        event if isinstance(event, Hit | Miss | Tick) else replace(event, at=event.at + 1.0) for event in out
    ]


def keeps_the_length() -> Twist:
    """The head announces the length of the body as it was."""
    return lambda fed, out: [fed if isinstance(event, Head) else event for event in out if not isinstance(fed, Heal)]


def drops_protected_events() -> Twist:
    """The terminal event is lost as well."""
    return lambda fed, out: [event for event in out if not (isinstance(event, Frame) and event.kind & Kind.TERMINAL)]


def repeats_a_frame() -> Twist:
    """Every token comes twice."""
    return lambda fed, out: [
        again
        for event in out
        for again in [event] * (1 + (isinstance(event, Frame) and bool(event.kind & Kind.CONTENT)))
    ]


def sends_a_foreign_error() -> Twist:
    """An error event that the dialect does not know."""
    data = b'data: {"object": "error", "message": "no"}\n\n'
    return lambda fed, out: [
        replace(event, data=data) if isinstance(event, Frame) and event.kind & Kind.ERROR else event for event in out
    ]


def breaks_the_envelope() -> Twist:
    """The error event is cut in half."""
    return lambda fed, out: [
        replace(event, data=event.data[:20]) if isinstance(event, Frame) and event.kind & Kind.ERROR else event
        for event in out
    ]


def misreads_itself() -> Twist:
    """The frame that it made carries no meaning."""
    return lambda fed, out: [
        replace(event, meaning=dialect("raw").read_event(event.data))
        if isinstance(event, Frame) and event != fed
        else event
        for event in out
    ]
