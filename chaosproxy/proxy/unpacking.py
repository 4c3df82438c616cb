"""Unpacks an answer whose frames a fault must read, although the upstream was asked not to compress it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Framing, header
from chaosproxy.proxy.codings import Malformed, Unpacker, unpacker
from chaosproxy.proxy.edges import AnswerHead, ChunkTaker, Pipe, Receiver
from chaosproxy.proxy.limits import MIB

UNPACKED_BYTES = 16 * MIB
"""What comes of an answer at a time may become as large; more than that is meant to fill our memory."""
_OF_THE_CODING = ("content-encoding", "content-length")


def coding_of(head: AnswerHead) -> str | None:
    """The content coding of its body, in lower case; None when it has no body or no coding."""
    coding = header(head.headers, "content-encoding")
    if coding is None or head.framing is Framing.EMPTY or coding.lower() == "identity":
        return None
    return coding.strip().lower()


def unpacking(coding: str, receiver: Receiver, hang_up: Callable[[], None]) -> Unpacking | str | None:
    """What unpacks a body for ``receiver``; or else the words that say what is missing, or None: nobody can."""
    found = unpacker(coding)
    return found if found is None or isinstance(found, str) else Unpacking(coding, found, receiver, hang_up)


def unpacked(head: AnswerHead) -> AnswerHead:
    """The same head for the body without its coding, whose length is not known."""
    kept = tuple(pair for pair in head.headers if pair[0].lower() not in _OF_THE_CODING)
    framing = Framing.CHUNKED if head.framing is Framing.LENGTH else head.framing
    return replace(head, headers=kept, framing=framing)


class Unpacking:
    """A receiver before another one, which gets the unpacked body; ``hang_up`` ends the connection to the upstream."""

    __slots__ = ("_coding", "_counting", "_hang_up", "_over", "_receiver", "_unpacked_bytes", "_unpacker", "chunks")

    def __init__(self, coding: str, unpacker: Unpacker, receiver: Receiver, hang_up: Callable[[], None]) -> None:
        self.chunks: ChunkTaker | None = None
        self._coding = coding
        self._unpacker = unpacker
        self._receiver = receiver
        self._hang_up = hang_up
        self._over = False
        self._unpacked_bytes = 0  # in this turn of the loop: no pause of the upstream's can act before its end
        self._counting = False

    def upstream_head(self, head: AnswerHead) -> None:
        self._receiver.upstream_head(head)

    def upstream_data(self, data: bytes) -> None:
        if self._over:
            return
        if not self._counting:
            self._counting = True
            asyncio.get_running_loop().call_soon(self._next_turn)
        try:
            for piece in self._unpacker.unpack(data):
                self._unpacked_bytes += len(piece)
                self._receiver.upstream_data(piece)
                if self._unpacked_bytes > UNPACKED_BYTES:
                    self._fail(f"a piece of its {self._coding} body unpacks to more than {UNPACKED_BYTES // MIB} MiB")
                    return
        except Malformed:
            self._fail(f"its {self._coding} body is malformed")

    def upstream_end(self) -> None:
        if self._unpacker.complete():
            self._receiver.upstream_end()
        else:
            words = f"the {self._coding} body ended before it was complete"
            self._receiver.upstream_failed(UpstreamFailed(UpstreamFailed.INCOMPLETE, words))

    def upstream_failed(self, error: UpstreamFailed) -> None:
        self._receiver.upstream_failed(error)

    def upstream_upgraded(self, head: AnswerHead, pipe: Pipe) -> None:
        self._receiver.upstream_upgraded(head, pipe)

    def _next_turn(self) -> None:
        self._counting, self._unpacked_bytes = False, 0

    def _fail(self, words: str) -> None:
        self._over = True
        self._hang_up()
        self._receiver.upstream_failed(UpstreamFailed(UpstreamFailed.PROTOCOL, f"the upstream answered, but {words}"))
