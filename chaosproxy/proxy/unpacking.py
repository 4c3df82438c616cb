"""Takes gzip off an answer whose frames a fault must read, although the upstream was asked not to compress it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Framing, header
from chaosproxy.proxy.edges import AnswerHead, ChunkTaker, Pipe, Receiver
from chaosproxy.proxy.limits import MIB

UNPACKED_BYTES = 16 * MIB
"""One piece of an answer may become as large; a larger one is meant to fill our memory."""
_PIECE_BYTES = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_OF_THE_CODING = ("content-encoding", "content-length")


def is_packed(head: AnswerHead) -> bool:
    """Whether it announces a body that can be unpacked."""
    coding = header(head.headers, "content-encoding")
    return head.framing is not Framing.EMPTY and coding is not None and coding.strip().lower() == "gzip"


def unpacked(head: AnswerHead) -> AnswerHead:
    """The same head for the body without its coding, whose length is not known."""
    kept = tuple(pair for pair in head.headers if pair[0].lower() not in _OF_THE_CODING)
    framing = Framing.CHUNKED if head.framing is Framing.LENGTH else head.framing
    return replace(head, headers=kept, framing=framing)


class Unpacking:
    """A receiver before another one, which gets the unpacked body; ``hang_up`` ends the connection to the upstream."""

    __slots__ = ("_hang_up", "_inflater", "_over", "_receiver", "chunks")

    def __init__(self, receiver: Receiver, hang_up: Callable[[], None]) -> None:
        self.chunks: ChunkTaker | None = None
        self._receiver = receiver
        self._hang_up = hang_up
        self._inflater = zlib.decompressobj(_GZIP)
        self._over = False

    def upstream_head(self, head: AnswerHead) -> None:
        self._receiver.upstream_head(head)

    def upstream_data(self, data: bytes) -> None:
        unpacked_bytes = 0
        try:
            for piece in self._inflate(data):
                unpacked_bytes += len(piece)
                self._receiver.upstream_data(piece)
                if unpacked_bytes > UNPACKED_BYTES:
                    self._fail(f"a piece of its gzip body unpacks to more than {UNPACKED_BYTES // MIB} MiB")
                    return
        except zlib.error:
            self._fail("its gzip body is malformed")

    def upstream_end(self) -> None:
        if self._inflater.eof:
            self._receiver.upstream_end()
        else:
            words = "the gzip body ended before it was complete"
            self._receiver.upstream_failed(UpstreamFailed(UpstreamFailed.INCOMPLETE, words))

    def upstream_failed(self, error: UpstreamFailed) -> None:
        self._receiver.upstream_failed(error)

    def upstream_upgraded(self, head: AnswerHead, pipe: Pipe) -> None:
        self._receiver.upstream_upgraded(head, pipe)

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        """A gzip body may have several members, one after the other (RFC 1952, 2.2)."""
        while data and not self._over:
            if self._inflater.eof:
                self._inflater = zlib.decompressobj(_GZIP)
            if piece := self._inflater.decompress(data, _PIECE_BYTES):
                yield piece
            data = self._inflater.unconsumed_tail or self._inflater.unused_data

    def _fail(self, words: str) -> None:
        self._over = True
        self._hang_up()
        self._receiver.upstream_failed(UpstreamFailed(UpstreamFailed.PROTOCOL, f"the upstream answered, but {words}"))
