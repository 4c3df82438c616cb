"""Reads one HTTP/1.1 response (RFC 9112), strictly, and never loses what came before a flaw. Pure.

The load reads for itself what the data plane may have broken on purpose: aiohttp's client drops buffered data when a
connection fails, does not tell a reset from an early FIN in a body, and its C parser waits for ever on a bad chunk
size.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

HEAD_LIMIT_BYTES = 64 * 1024
"""The longest status line with header fields, and the longest chunk-size line."""
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: .*)?")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;.*)?")


class Broken(Exception):
    """The bytes are no HTTP response; ``str`` says why."""


class ResponseReader:
    """Feed it what the connection brings.

    ``status`` is None before the head; ``done`` says that the body is complete; ``flaw`` why it cannot be read on.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.flaw: str | None = None
        self._complete = False
        self._keeps_alive = False
        self._buffer = b""
        self._left = 0
        self._state: Callable[[], bytes | None] = self._head
        self._ends_with_connection = False
        self._decoder: zlib._Decompress | None = None

    @property
    def done(self) -> bool:
        """Whether all of the body was read."""
        return self._complete and self.flaw is None

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request."""
        return self.done and self._keeps_alive and not self._buffer

    def feed(self, data: bytes) -> bytes:
        """The piece of the body that ``data`` brings, chunk framing and content coding removed."""
        self._buffer += data
        body: list[bytes] = []
        try:
            while not (self._complete or self.flaw):
                piece = self._state()
                if piece is None:
                    break
                body.append(self._decoder.decompress(piece) if self._decoder else piece)
        except (Broken, zlib.error) as error:
            self.flaw = str(error)
        return b"".join(body)

    def end(self) -> bool:
        """The connection was closed; whether the response is complete."""
        self._complete = self._complete or self._ends_with_connection
        return self.done

    # Each state takes what it can from the buffer: a piece of the body (perhaps empty), or None when it needs more.

    def _head(self) -> bytes | None:
        head, blank_line, rest = self._buffer.partition(b"\r\n\r\n")
        if len(head) > HEAD_LIMIT_BYTES:
            raise Broken("the head is too long")
        if not blank_line:
            return None
        status_line, *lines = head.split(b"\r\n")
        match = _STATUS_LINE.fullmatch(status_line)
        if match is None:
            raise Broken("no HTTP status line")
        fields = dict(map(_field, lines))
        self._buffer = rest
        status = int(match[2])
        if status >= 200:
            self.status = status
            self._body_follows(status, fields, http_1_0=match[1] == b"0")
        return b""

    def _body_follows(self, status: int, fields: dict[str, str], *, http_1_0: bool) -> None:
        """How the body ends: RFC 9112, 6.3."""
        connection = fields.get("connection", "").lower()
        self._keeps_alive = "close" not in connection and (not http_1_0 or "keep-alive" in connection)
        if fields.get("content-encoding", "").lower() in ("gzip", "deflate"):
            self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
        length = fields.get("content-length")
        if status in (204, 304):
            self._complete = True
        elif "chunked" in fields.get("transfer-encoding", "").lower():
            self._state = self._chunk_size
        elif length is None:
            self._ends_with_connection = True
            self._keeps_alive = False
            self._state = self._rest
        elif not (length.isascii() and length.isdigit()):
            raise Broken("content-length is no number")
        else:
            self._left = int(length)
            self._complete = self._left == 0
            self._state = self._counted

    def _rest(self) -> bytes | None:
        return self._take(len(self._buffer))

    def _counted(self) -> bytes | None:
        piece = self._take(self._left)
        self._complete = self._left == 0
        return piece

    def _chunk_size(self) -> bytes | None:
        if (line := self._line()) is None:
            return None
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise Broken("a chunk-size line is malformed")
        self._left = int(match[1], 16)
        self._state = self._chunk if self._left else self._trailer
        return b""

    def _chunk(self) -> bytes | None:
        piece = self._take(self._left)
        if self._left == 0:
            self._state = self._chunk_end
        return piece

    def _chunk_end(self) -> bytes | None:
        if (line := self._line()) is None:
            return None
        if line:
            raise Broken("a chunk is longer than its size")
        self._state = self._chunk_size
        return b""

    def _trailer(self) -> bytes | None:
        line = self._line()
        self._complete = line == b""
        return None if line is None else b""

    def _take(self, most: int) -> bytes | None:
        piece, self._buffer = self._buffer[:most], self._buffer[most:]
        self._left -= len(piece)
        return piece or None

    def _line(self) -> bytes | None:
        line, end, rest = self._buffer.partition(b"\r\n")
        if len(line) > HEAD_LIMIT_BYTES:
            raise Broken("a chunk-size line is too long")
        if not end:
            return None
        self._buffer = rest
        return line


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not name or name != name.strip():
        raise Broken("a header field is malformed")
    return name.decode("latin-1").lower(), value.strip().decode("latin-1")
