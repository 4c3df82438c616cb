"""stream.encoding: the body is not what Content-Encoding says."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import ClassVar, Literal

from chaosproxy.events import (
    RAW,
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
    header,
    moved,
)
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.framing.held_back import HELD_BYTES_MAX
from chaosproxy.faults.stages import passing


class StreamEncoding(Fault):
    """Say gzip and send something else, like a cache that mixes up two variants of an answer."""

    type: ClassVar[str] = "stream.encoding"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = (
        "a decoding error at the first byte; with gzip_cut the end or all of the answer is missing, without an error"
    )
    timeline: ClassVar[str] = "upstream  h f f f f end\nclient    h(gzip) f f f f end    (plain_as_gzip)"
    no_neutral: ClassVar[str | None] = "each mode announces an encoding that the body does not keep"

    mode: Literal["plain_as_gzip", "gzip_cut"] = "plain_as_gzip"
    """plain_as_gzip: the body comes as it is, under ``Content-Encoding: gzip``; gzip_cut: the whole answer is
    compressed and the first half of it arrives, with a clean end. For that it is held back until its end."""

    @property
    def edits_frames(self) -> bool:
        """What is compressed already cannot be called compressed wrongly."""
        return True

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return Misencoded(exchange, cut=self.mode == "gzip_cut")


class Misencoded:
    """Announces gzip; holds the answer back when it has to be compressed."""

    def __init__(self, exchange: Exchange, *, cut: bool) -> None:
        self._begun = exchange.seen.head is not None
        self._cuts = cut
        self._head: Head | None = None
        self._held: list[Frame] = []
        self._bytes = 0
        self._settled = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._settled:
            return passing(event)
        if isinstance(event, Head):
            return self._begin(event)
        if isinstance(event, Frame) and self._head is not None:
            self._held.append(event)
            self._bytes += len(event.data)
            if self._bytes > HELD_BYTES_MAX:
                return self._miss(event, f"the answer is longer than {HELD_BYTES_MAX} bytes", fed=False)
            return ()
        if isinstance(event, End) and self._head is not None:
            return self._cut(self._head, event)
        if self._begun:
            return self._miss(event, "the head had already announced the encoding")
        if isinstance(event, End | Abort | Heal):
            return self._miss(event, "the answer did not come to its end")
        return passing(event)

    def _begin(self, head: Head) -> Sequence[Outgoing]:
        coding = header(head.headers, "content-encoding")
        if coding is not None:
            return self._miss(head, f"the answer was compressed ({coding})")
        if head.framing is Framing.EMPTY:
            return self._miss(head, "the answer has no body")
        gzipped = replace(head, headers=(*head.headers, ("content-encoding", "gzip")))
        if self._cuts:
            self._head = gzipped
            return ()
        self._settled = True
        return [Hit(head.at, "called gzip, and is not"), gzipped]

    def _cut(self, head: Head, end: End) -> Sequence[Outgoing]:
        whole = gzip.compress(b"".join(frame.data for frame in self._held), mtime=0)
        half = whole[: len(whole) // 2]
        if not self._held:
            return self._miss(end, "the answer has no body")
        self._settled = True
        length = len(half) if head.framing is Framing.LENGTH else None
        hit = Hit(end.at, f"{len(half)} of {len(whole)} compressed bytes")
        return [hit, moved(head, end.at).framed(head.framing, length), Frame(end.at, half, RAW), end]

    def _miss(self, event: Incoming, reason: str, *, fed: bool = True) -> Sequence[Outgoing]:
        self._settled = True
        held: list[Outgoing] = []
        if self._head is not None:
            kept = tuple(pair for pair in self._head.headers if pair[0].lower() != "content-encoding")
            held = [replace(self._head, at=event.at, headers=kept), *(moved(each, event.at) for each in self._held)]
        return [Miss(event.at, reason), *held, *(passing(event) if fed else ())]
