"""The ways on which pieces of a body travel; at each moment one of them is in force, and the pump chooses which.

    Passage      nothing is at work: bytes go from upstream to client as they came, and are read later
    ChunkPassage the same where client and upstream speak in HTTP chunks: whole ones are not even unpacked
    Embarking    a fault has begun in mid-frame: bytes go on to the end of the frame, where the chain takes over
    Chained      faults are at work: frames go through the chain
    Landing      the last fault has healed in mid-frame: the rest of it is awaited, then all goes on as bytes
    Draining     the client's answer is over: the upstream is read on for a while, for the journal

``at`` is seconds since the exchange began.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chaosproxy.events import Frame
from chaosproxy.proxy.account import Account, Side
from chaosproxy.proxy.client_side import ClientSide


class Way(Protocol):
    """What becomes of the body."""

    @property
    def at_boundary(self) -> bool:
        """Whether the client has got whole frames and no more."""

    def carry(self, data: bytes, at: float) -> None:
        """A piece came from the upstream."""

    def end(self, at: float) -> None:
        """No more will come: do the same with the half of a frame that is left."""


class Passage:
    """Bytes to the client."""

    __slots__ = ("_client", "_received")

    def __init__(self, received: Side, client: ClientSide) -> None:
        self._received = received
        self._client = client

    @property
    def at_boundary(self) -> bool:
        return not self._received.tally.pending

    def carry(self, data: bytes, at: float) -> None:
        self._received.tally.collect(data, at)
        self._client.data(data, at)

    def end(self, at: float) -> None:
        self._received.tally.flush(at)


class ChunkPassage(Passage):
    """Whole HTTP chunks to ``write``, in the very bytes in which they came; what is no whole one goes as on a Passage.

    Most events take this way, so it does at once what takes four calls elsewhere. Both edges share one tally.
    """

    __slots__ = ("_began_at", "_clock", "_failed", "_tally", "_write")

    def __init__(
        self,
        account: Account,
        client: ClientSide,
        write: Callable[[bytes], None],
        clock: Callable[[], float],
        failed: Callable[[Exception], None],
    ) -> None:
        super().__init__(account.received, client)
        self._began_at = account.began_at
        self._tally = account.received.tally
        self._write = write
        self._clock = clock
        self._failed = failed

    def chunk(self, chunk: bytes, data: bytes) -> None:
        try:
            self._write(chunk)
            self._tally.collect(data, self._clock() - self._began_at)
        except Exception as error:  # noqa: BLE001 - as ``contained``
            self._failed(error)


def passage(
    account: Account,
    client: ClientSide,
    clock: Callable[[], float],
    failed: Callable[[Exception], None],
    *,
    alike: bool,
) -> Passage:
    """The passage for this answer; ``alike``: no fault has touched it, so both edges share one tally."""
    write = client.wire.chunk_writer() if alike else None
    if write is None:
        return Passage(account.received, client)
    return ChunkPassage(account, client, write, clock, failed)


class Embarking(Passage):
    """Bytes to the client, up to the frame boundary; ``embark`` gets what comes after it, as frames and as bytes."""

    __slots__ = ("_embark",)

    def __init__(self, received: Side, client: ClientSide, embark: Callable[[list[Frame], bytes, float], None]) -> None:
        super().__init__(received, client)
        self._embark = embark

    def carry(self, data: bytes, at: float) -> None:
        tally = self._received.tally
        before = tally.pending
        frames = tally.feed(data, at)
        boundary = len(frames[0].data) - before if frames else len(data)
        self._client.data(data[:boundary], at)
        if frames:
            self._embark(frames[1:], data[boundary:], at)


class Chained:
    """Frames to ``push``."""

    at_boundary = True

    __slots__ = ("_push", "_received")

    def __init__(self, received: Side, push: Callable[[list[Frame], float], None]) -> None:
        self._received = received
        self._push = push

    def carry(self, data: bytes, at: float) -> None:
        self._push(self._received.tally.feed(data, at), at)

    def end(self, at: float) -> None:
        self._push(self._received.tally.flush(at), at)


class Landing:
    """Nothing to the client until a frame is complete of which it has nothing yet; ``land`` gets all that was kept."""

    at_boundary = True

    __slots__ = ("_land", "_received")

    def __init__(self, received: Side, land: Callable[[bytes, float], None]) -> None:
        self._received = received
        self._land = land

    def carry(self, data: bytes, at: float) -> None:
        tally = self._received.tally
        frames = tally.feed(data, at)
        if frames:
            half = data[len(data) - tally.pending :]
            self._land(b"".join([*(frame.data for frame in frames), half]), at)

    def end(self, at: float) -> None:
        for frame in self._received.tally.flush(at):
            self._land(frame.data, at)


class Draining:
    """Nothing to the client any more; ``drained`` counts the bytes."""

    at_boundary = True

    __slots__ = ("_drained", "_received")

    def __init__(self, received: Side, drained: Callable[[int], None]) -> None:
        self._received = received
        self._drained = drained

    def carry(self, data: bytes, at: float) -> None:
        self._received.tally.collect(data, at)
        self._drained(len(data))

    def end(self, at: float) -> None:
        self._received.tally.flush(at)
