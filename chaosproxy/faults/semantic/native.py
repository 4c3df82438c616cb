"""What the faults share that change the words and keep the envelope: in a stream event by event, else in one piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any, ClassVar

from chaosproxy.events import (
    Abort,
    End,
    Exchange,
    Frame,
    Framing,
    Head,
    Heal,
    Hit,
    Incoming,
    Miss,
    Outgoing,
    Tick,
    moved,
)
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.framing.held_back import HELD_BYTES_MAX
from chaosproxy.faults.stages import EachFrame, passing
from chaosproxy.faults.where import why_compressed
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.editing import edited
from chaosproxy.wire.foreign_json import dump, parse

Alter = Callable[[dict[str, Any]], bool]
"""Changes a JSON object in place; whether it did."""
Rewrite = Callable[[bytes], bytes | None]
"""The other body of a plain answer, or None when it stays as it is."""


def lacks_dialect(exchange: Exchange) -> str | None:
    """Why a fault on words can never act here."""
    return "the request is not of a known dialect" if exchange.dialect == "raw" else None


class Altered(Fault):
    """Change JSON members wherever they stand, in the events of a stream or in a plain answer."""

    room: ClassVar[Room] = Room.SEMANTIC

    @property
    def edits_frames(self) -> bool:
        """Words have to be read."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Words have to be understood."""
        return lacks_dialect(exchange)

    def alter(self, exchange: Exchange) -> tuple[Alter, str, str]:
        """The change; what was done, and why nothing was, as sentences."""
        raise NotImplementedError

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        alter, done, missed = self.alter(exchange)
        spoken = dialect(exchange.dialect)

        def edit(frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
            data = edited(spoken, frame.data, alter)
            if data is None or data == frame.data:
                return None
            return (replace(frame, data=data, meaning=spoken.read_event(data)),), done

        def rewrite(body: bytes) -> bytes | None:
            payload = parse(body)
            return dump(payload).encode() if isinstance(payload, dict) and alter(payload) else None

        return EitherWay(exchange, EachFrame(exchange, edit, missed), PlainBody(rewrite, done, missed))


class EitherWay:
    """Gives a streamed answer to one stage and a plain one to another."""

    def __init__(self, exchange: Exchange, streamed: Stage, plain: Stage) -> None:
        self._streamed = streamed
        self._plain = plain
        self._seen = exchange.seen
        self._chosen: Stage | None = None

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._chosen is None:
            head = event if isinstance(event, Head) else self._seen.head
            if head is None and not isinstance(event, End | Abort | Heal):
                return passing(event)
            self._chosen = self._plain if head is not None and not head.streamed else self._streamed
        return self._chosen.feed(event)


class PlainBody:
    """Holds a plain answer until it is whole, and sends what ``rewrite`` makes of it."""

    def __init__(self, rewrite: Rewrite, done: str, missed: str) -> None:
        self._rewrite = rewrite
        self._done = done
        self._missed = missed
        self._head: Head | None = None
        self._held: list[Frame] = []
        self._bytes = 0
        self._over = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._over:
            return passing(event)
        match event:
            case Head():
                return self._begin(event)
            case Frame() if self._head is not None:
                return self._hold(event)
            case End() if self._head is not None:
                return self._end(self._head, event)
            case Tick() if self._head is not None:
                return ()
        return self._miss(event, "the answer had already begun" if isinstance(event, Tick | Frame) else self._missed)

    def _begin(self, head: Head) -> Sequence[Outgoing]:
        if (reason := why_compressed(head)) is not None:
            return self._miss(head, reason)
        self._head = head
        return ()

    def _hold(self, frame: Frame) -> Sequence[Outgoing]:
        self._held.append(frame)
        self._bytes += len(frame.data)
        if self._bytes <= HELD_BYTES_MAX:
            return ()
        return [*self._give_up(frame.at, f"the answer is longer than {HELD_BYTES_MAX} bytes")]

    def _end(self, head: Head, end: End) -> Sequence[Outgoing]:
        body = b"".join(frame.data for frame in self._held)
        rewritten = self._rewrite(body) if body else None
        if rewritten is None or rewritten == body:
            return [*self._give_up(end.at, self._missed), end]
        self._over = True
        length = len(rewritten) if head.framing is Framing.LENGTH else None
        begin = moved(head, end.at).framed(head.framing, length)
        return [Hit(end.at, self._done), begin, replace(self._held[0], at=end.at, data=rewritten), end]

    def _miss(self, event: Incoming, reason: str) -> Sequence[Outgoing]:
        return [*self._give_up(event.at, reason), *passing(event)]

    def _give_up(self, at: float, reason: str) -> Sequence[Outgoing]:
        self._over = True
        held: list[Head | Frame] = [] if self._head is None else [self._head, *self._held]
        self._head = None
        return [Miss(at, reason), *(moved(each, at) for each in held)]
