"""The stages that most faults are made of: a fault says what it does, these say when.

    AtPlace    pass . . . pass  ACT  then ``after``          one place of the answer
    AtEvent    pass . . . pass  ACT  then ``after``          the same, in a streamed answer only
    EachFrame  pass  edit  edit  edit                        all of a streamed answer
    Instead    ANSWER  nothing                               the request

Each keeps the books: one Hit with what was done, or one Miss with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from chaosproxy.events import (
    RAW,
    Ask,
    Exchange,
    Frame,
    Framing,
    Head,
    Heal,
    Hit,
    Incoming,
    Miss,
    Outgoing,
    Seen,
    Tick,
    Travelling,
)
from chaosproxy.faults.where import Place, Where, why_unstreamed
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.base import is_sse

Act = Callable[[Frame, int], Sequence[Outgoing]]
"""What to emit for the frame in which the place lies, given the bytes before it: a Hit or a Miss among it."""

Reframe = Callable[[Head], Head]
"""The head that a fault needs, so that its kind of body can follow."""


_TO_ONE_STAGE = (Tick, Heal)


def passing(event: Incoming) -> tuple[Travelling, ...]:
    """The event itself, unless it is for one stage only."""
    return () if isinstance(event, _TO_ONE_STAGE) else (event,)


def swallow(event: Travelling) -> Sequence[Outgoing]:
    """Nothing: what comes after an end."""
    del event
    return ()


def keep(event: Travelling) -> Sequence[Outgoing]:
    """The event as it is."""
    return (event,)


def unmeasured(head: Head) -> Head:
    """The head for a body whose length the fault changes."""
    return head.framed(Framing.CHUNKED) if head.framing is Framing.LENGTH else head


def chunked(head: Head) -> Head:
    """The head for a body in chunks, which has an end that can be missing; without a body it stays as it is."""
    return head if head.framing is Framing.EMPTY else head.framed(Framing.CHUNKED)


def lacks_stream(exchange: Exchange) -> str | None:
    """Why a fault on the events of a stream can never act here."""
    if exchange.dialect == "raw":
        return "the request is not of a known dialect"
    return "the request does not ask for a stream" if exchange.stream is False else None


def lacks_event_stream(exchange: Exchange) -> str | None:
    """Why a fault on the lines of server-sent events can never act here."""
    if exchange.dialect != "raw" and not is_sse(dialect(exchange.dialect)):
        return f"{exchange.dialect} does not stream server-sent events"
    return lacks_stream(exchange)


def lacks_place(where: Where, exchange: Exchange) -> str | None:
    """Why ``where`` can never be in the answer."""
    return lacks_stream(exchange) if where.needs_frames else None


def split_frame(frame: Frame, before: int) -> tuple[list[Frame], list[Frame]]:
    """Its first ``before`` bytes and the rest, at most one frame each; the first is no event, the rest completes it."""
    if before == 0:
        return [], [frame]
    if before == len(frame.data):
        return [frame], []
    return [replace(frame, data=frame.data[:before], meaning=RAW)], [replace(frame, data=frame.data[before:])]


class AtPlace:
    """Passes the answer until its place, acts there, and gives what comes later to ``after``."""

    def __init__(
        self,
        where: Where,
        exchange: Exchange,
        act: Act,
        *,
        after: Callable[[Travelling], Sequence[Outgoing]] = swallow,
        reframe: Reframe = lambda head: head,
    ) -> None:
        self._place = Place(where, exchange.seen)
        self._seen = exchange.seen
        self._act = act
        self._after = after
        self._reframe = reframe
        self._acted = False
        self._missed = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._acted:
            return [emitted for passed in passing(event) for emitted in self._after(passed)]
        if self._missed:
            return passing(event)
        if isinstance(event, Frame):
            before = self._place.offset(event)
            return (event,) if before is None else self._act_on(event, before)
        found = announced(self._seen, self._reframe, event) or self._miss(event)
        if found is not None:
            self._missed = True
            return (found, *passing(event))
        return (self._reframe(event),) if isinstance(event, Head) else passing(event)

    def _miss(self, event: Incoming) -> Miss | None:
        return self._place.miss(event)

    def _act_on(self, frame: Frame, before: int) -> Sequence[Outgoing]:
        emitted = self._act(frame, before)
        self._missed = any(isinstance(said, Miss) for said in emitted)
        self._acted = not self._missed
        return emitted


class AtEvent(AtPlace):
    """The same for what can only be done to events: in a plain answer bytes can be counted, but there are no events."""

    def _miss(self, event: Incoming) -> Miss | None:
        return unstreamed(self._seen, event) or super()._miss(event)


def unstreamed(seen: Seen, event: Incoming) -> Miss | None:
    """The reason of a fault on events, at the head or when it comes after one."""
    head = event if isinstance(event, Head) else seen.head if isinstance(event, Tick) else None
    if head is None or head.streamed:
        return None
    return Miss(event.at, why_unstreamed(head))


def announced(seen: Seen, reframe: Reframe, event: Incoming) -> Miss | None:
    """The reason of a fault that comes in mid-stream and would have needed another head."""
    if isinstance(event, Tick) and seen.head is not None and reframe(seen.head) != seen.head:
        return Miss(event.at, f"the head had already announced how the body ends ({seen.head.framing.value})")
    return None


Edit = Callable[[Frame], tuple[tuple[Frame, ...], str] | None]
"""What a frame becomes, and words for the Hit; None when it stays as it is."""


class EachFrame:
    """Lets ``edit`` change the frames of a streamed answer. ``missed`` is the reason when it changed none."""

    def __init__(self, exchange: Exchange, edit: Edit, missed: str) -> None:
        self._seen = exchange.seen
        self._edit = edit
        self._missed = missed
        self._hit = False
        self._over = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._over:
            return passing(event)
        if isinstance(event, Frame):
            return self._edited(event)
        miss = unstreamed(self._seen, event) or announced(self._seen, unmeasured, event)
        match event:
            case _ if miss is not None:
                return self._end(event, miss.reason)
            case Head():
                return (unmeasured(event),)
            case Tick() | Ask():
                return passing(event)
        return self._end(event, self._missed)

    def _edited(self, frame: Frame) -> Sequence[Outgoing]:
        edited = self._edit(frame)
        if edited is None:
            return (frame,)
        frames, words = edited
        if self._hit:
            return frames
        self._hit = True
        return (Hit(frame.at, words), *frames)

    def _end(self, event: Incoming, reason: str) -> Sequence[Outgoing]:
        self._over = True
        return passing(event) if self._hit else (Miss(event.at, reason), *passing(event))


class Instead:
    """Swallows Ask, so that the upstream is never asked, and emits ``reply`` in its place."""

    def __init__(self, exchange: Exchange, detail: str, reply: Callable[[float], Sequence[Outgoing]]) -> None:
        self._open = exchange.seen.open
        self._detail = detail
        self._reply = reply
        self._answered = False
        self._missed = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._answered:
            return ()
        if self._missed:
            return passing(event)
        match event:
            case Ask(at):
                self._answered = True
                return [Hit(at, self._detail), *self._reply(at)]
            case Tick(at) if self._open:
                return self._miss(event, at, "the request had already been sent")
            case Tick():
                return ()
            case Heal(at):
                return self._miss(event, at, "healed before the request was complete")
        return self._miss(event, event.at, "another fault answered first")

    def _miss(self, event: Incoming, at: float, reason: str) -> Sequence[Outgoing]:
        self._missed = True
        return (Miss(at, reason), *passing(event))
