"""Reads one HTTP/1.1 response as an SDK's raw call would, strictly, and never loses what came before a flaw. Pure."""

from __future__ import annotations

import zlib

from chaosproxy.events import Framing
from chaosproxy.wire.http1 import BodyReader, Broken, ResponseHead, body_reader, head_end, read_head

HEAD_LIMIT_BYTES = 64 * 1024
"""The longest status line with header fields."""


class ResponseReader:
    """Feed it what the connection brings.

    ``status`` is None before the head; ``done`` says that the body is complete; ``flaw`` why it cannot be read on.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.flaw: str | None = None
        self._head = b""
        self._body: BodyReader | None = None
        self._keeps_alive = False
        self._decoder: zlib._Decompress | None = None

    @property
    def done(self) -> bool:
        """Whether all of the body was read."""
        return self._body is not None and self._body.complete and self.flaw is None

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request."""
        return self.done and self._keeps_alive

    def feed(self, data: bytes) -> bytes:
        """The piece of the body that ``data`` brings, chunk framing and content coding removed."""
        if self.flaw is not None:
            return b""
        try:
            if self._body is None:
                data = self._read_head(data)
            return self._read_body(self._body, data) if self._body is not None else b""
        except Broken as error:
            self.flaw = str(error)
            return b""

    def end(self) -> bool:
        """The connection was closed; whether the response is complete."""
        return self.flaw is None and self._body is not None and self._body.end()

    def _read_head(self, data: bytes) -> bytes:
        """What follows the head; interim responses are skipped."""
        self._head += data
        while self._body is None and (end := head_end(self._head, HEAD_LIMIT_BYTES)):
            head, self._head = read_head(self._head[:end]), self._head[end:]
            if head.status >= 200:
                self.status = head.status
                self._begin_body(head)
        return self._head

    def _begin_body(self, head: ResponseHead) -> None:
        framing = head.framing("POST")
        self._body = body_reader(framing, head)
        self._keeps_alive = head.keeps_alive and framing is not Framing.CLOSE
        coding = next((value for name, value in head.headers if name.lower() == "content-encoding"), "")
        if coding.lower() in ("gzip", "deflate"):
            self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def _read_body(self, body: BodyReader, data: bytes) -> bytes:
        if body.complete:
            self._keeps_alive = self._keeps_alive and not data
            return b""
        piece = b"".join(body.feed(data))
        self.flaw = body.flaw
        self._keeps_alive = self._keeps_alive and not body.surplus
        try:
            return self._decoder.decompress(piece) if self._decoder else piece
        except zlib.error as error:
            self.flaw = str(error)
            return b""
